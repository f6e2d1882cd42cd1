// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/message_flow.h"

#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_shm {
namespace {

using ::testing::ElementsAre;

v1::Packet Message(const std::string& data) {
  v1::Packet packet;
  packet.set_message(data);
  return packet;
}

v1::Packet Room(uint64_t room) {
  v1::Packet packet;
  packet.set_room(room);
  return packet;
}

v1::Packet Arrived(uint64_t arrived) {
  v1::Packet packet;
  packet.set_arrived(arrived);
  return packet;
}

v1::Packet Next(MessageFlow* flow) {
  v1::Packet packet;
  EXPECT_TRUE(flow->NextPacket(&packet));
  return packet;
}

bool HasPacket(MessageFlow* flow) {
  v1::Packet packet;
  return flow->NextPacket(&packet);
}

auto Code(const absl::Status& status) { return status.code(); }

// Carries packets from one to the other, one way, until there are none; returns
// the messages.
std::vector<std::string> Carry(MessageFlow* from, MessageFlow* to) {
  std::vector<std::string> messages;
  v1::Packet packet;
  while (from->NextPacket(&packet)) {
    const absl::Status status = to->OnPacket(packet);
    EXPECT_TRUE(status.ok()) << status;
    if (packet.has_message()) messages.push_back(packet.message());
    packet.Clear();
  }
  return messages;
}

TEST(MessageFlowTest, HasNoRoomBeforeTheOtherSideGivesIt) {
  MessageFlow flow;
  EXPECT_FALSE(flow.has_room());
  EXPECT_FALSE(HasPacket(&flow));
  ASSERT_TRUE(flow.OnPacket(Room(1)).ok());
  EXPECT_TRUE(flow.has_room());
}

TEST(MessageFlowTest, AMessageTakesItsPlaceWhenItIsQueued) {
  MessageFlow flow;
  ASSERT_TRUE(flow.OnPacket(Room(2)).ok());
  flow.Queue("a");
  EXPECT_TRUE(flow.has_room());
  flow.Queue("b");
  EXPECT_FALSE(flow.has_room());
  EXPECT_EQ(Next(&flow).message(), "a");
  EXPECT_EQ(Next(&flow).message(), "b");
  EXPECT_FALSE(flow.has_room());
  EXPECT_FALSE(HasPacket(&flow));
}

TEST(MessageFlowTest, AMessageHasArrivedWhenTheOtherSideSaysSo) {
  MessageFlow flow;
  ASSERT_TRUE(flow.OnPacket(Room(2)).ok());
  EXPECT_TRUE(flow.all_arrived());
  const auto a = flow.Queue("a");
  const auto b = flow.Queue("b");
  EXPECT_FALSE(flow.all_arrived());
  Next(&flow);
  Next(&flow);
  EXPECT_FALSE(flow.HasArrived(*a));
  ASSERT_TRUE(flow.OnPacket(Arrived(1)).ok());
  EXPECT_TRUE(flow.HasArrived(*a));
  EXPECT_FALSE(flow.HasArrived(*b));
  EXPECT_FALSE(flow.all_arrived());
  ASSERT_TRUE(flow.OnPacket(Arrived(2)).ok());
  EXPECT_TRUE(flow.HasArrived(*b));
  EXPECT_TRUE(flow.all_arrived());
}

TEST(MessageFlowTest, AWithdrawnMessageGivesItsPlaceBackUnlessItIsWritten) {
  MessageFlow flow;
  ASSERT_TRUE(flow.OnPacket(Room(2)).ok());
  const auto a = flow.Queue("a");
  const auto b = flow.Queue("b");
  EXPECT_TRUE(flow.Withdraw(a));
  EXPECT_TRUE(flow.has_room());
  EXPECT_EQ(Next(&flow).message(), "b");
  EXPECT_FALSE(flow.Withdraw(b));
  EXPECT_FALSE(flow.Withdraw(a));
  EXPECT_FALSE(HasPacket(&flow));
  ASSERT_TRUE(flow.OnPacket(Arrived(1)).ok());
  EXPECT_TRUE(flow.HasArrived(*b));
  EXPECT_FALSE(flow.HasArrived(*a));
}

TEST(MessageFlowTest, TheFirstPacketGivesTheRoomThatIsFree) {
  MessageFlow empty;
  empty.Open(/*capacity=*/8, /*taken=*/0);
  EXPECT_EQ(Next(&empty).room(), 8u);
  EXPECT_FALSE(HasPacket(&empty));
  MessageFlow half;
  half.Open(8, 5);
  EXPECT_EQ(Next(&half).room(), 3u);
}

// An inbox may still be full of what came over an earlier link.
TEST(MessageFlowTest, AFullInboxGivesRoomAsSoonAsAMessageIsReceived) {
  MessageFlow flow;
  flow.Open(2, 3);
  EXPECT_FALSE(HasPacket(&flow));
  EXPECT_EQ(Code(flow.OnPacket(Message("early"))),
            absl::StatusCode::kInvalidArgument);
  flow.OnReceived();
  EXPECT_EQ(Next(&flow).room(), 1u);
}

TEST(MessageFlowTest, SaysWhatHasArrivedAtOnce) {
  MessageFlow flow;
  flow.Open(8, 0);
  Next(&flow);
  ASSERT_TRUE(flow.OnPacket(Message("a")).ok());
  EXPECT_EQ(Next(&flow).arrived(), 1u);
  EXPECT_FALSE(HasPacket(&flow));
}

TEST(MessageFlowTest, GivesRoomInHalvesWhileTheSenderHasSome) {
  MessageFlow flow;
  flow.Open(4, 0);
  Next(&flow);
  ASSERT_TRUE(flow.OnPacket(Message("a")).ok());
  ASSERT_TRUE(flow.OnPacket(Message("b")).ok());
  EXPECT_EQ(Next(&flow).arrived(), 2u);
  flow.OnReceived();
  EXPECT_FALSE(HasPacket(&flow));
  flow.OnReceived();
  EXPECT_EQ(Next(&flow).room(), 6u);
}

TEST(MessageFlowTest, GivesRoomAtOnceToASenderThatHasNone) {
  MessageFlow flow;
  flow.Open(4, 0);
  Next(&flow);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(flow.OnPacket(Message("m")).ok());
  Next(&flow);
  flow.OnReceived();
  EXPECT_EQ(Next(&flow).room(), 5u);
}

TEST(MessageFlowTest, RefusesAMessageForWhichThereIsNoRoom) {
  MessageFlow flow;
  flow.Open(1, 0);
  EXPECT_EQ(Code(flow.OnPacket(Message("before it was said"))),
            absl::StatusCode::kInvalidArgument);
  Next(&flow);
  ASSERT_TRUE(flow.OnPacket(Message("a")).ok());
  EXPECT_EQ(Code(flow.OnPacket(Message("b"))),
            absl::StatusCode::kInvalidArgument);
}

TEST(MessageFlowTest, RefusesCountsThatFall) {
  MessageFlow flow;
  ASSERT_TRUE(flow.OnPacket(Room(2)).ok());
  EXPECT_EQ(Code(flow.OnPacket(Room(1))), absl::StatusCode::kInvalidArgument);
  flow.Queue("a");
  flow.Queue("b");
  Next(&flow);
  Next(&flow);
  ASSERT_TRUE(flow.OnPacket(Arrived(2)).ok());
  EXPECT_EQ(Code(flow.OnPacket(Arrived(1))),
            absl::StatusCode::kInvalidArgument);
}

TEST(MessageFlowTest, RefusesTheArrivalOfWhatWasNotWritten) {
  MessageFlow flow;
  EXPECT_EQ(Code(flow.OnPacket(Arrived(1))),
            absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(flow.OnPacket(Room(2)).ok());
  flow.Queue("a");
  flow.Queue("b");
  Next(&flow);
  EXPECT_EQ(Code(flow.OnPacket(Arrived(2))),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Code(flow.OnPacket(Arrived(std::numeric_limits<uint64_t>::max()))),
            absl::StatusCode::kInvalidArgument);
}

TEST(MessageFlowTest, AnyAmountOfRoomIsTaken) {
  MessageFlow flow;
  ASSERT_TRUE(flow.OnPacket(Room(std::numeric_limits<uint64_t>::max())).ok());
  EXPECT_TRUE(flow.has_room());
}

// Whatever the order in which sides send, receive and are heard: nothing is
// lost, doubled or out of order, no inbox overflows, and nobody waits for ever.
TEST(MessageFlowTest, TwoSidesAgree) {
  constexpr uint64_t kCapacity = 3;
  constexpr int kMessages = 200;
  for (uint32_t seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    MessageFlow flows[2];
    for (MessageFlow& flow : flows) flow.Open(kCapacity, 0);
    int sent[2] = {0, 0};
    std::vector<std::string> inboxes[2];
    size_t received[2] = {0, 0};
    int idle = 0;
    while (received[0] < kMessages || received[1] < kMessages) {
      const int side = random() % 2;
      MessageFlow& flow = flows[side];
      bool moved = true;
      switch (random() % 3) {
        case 0:
          moved = sent[side] < kMessages && flow.has_room();
          if (moved) flow.Queue(std::to_string(sent[side]++));
          break;
        case 1: {
          v1::Packet packet;
          moved = flow.NextPacket(&packet);
          if (!moved) break;
          ASSERT_TRUE(flows[1 - side].OnPacket(packet).ok());
          if (packet.has_message()) {
            inboxes[1 - side].push_back(packet.message());
          }
          break;
        }
        default:
          moved = received[side] < inboxes[side].size();
          if (!moved) break;
          ASSERT_EQ(inboxes[side][received[side]],
                    std::to_string(received[side]));
          ++received[side];
          flow.OnReceived();
      }
      ASSERT_LE(inboxes[side].size() - received[side], kCapacity);
      idle = moved ? 0 : idle + 1;
      ASSERT_LT(idle, 1000) << "seed " << seed;
    }
    EXPECT_THAT(Carry(&flows[0], &flows[1]), ElementsAre());
    EXPECT_THAT(Carry(&flows[1], &flows[0]), ElementsAre());
    EXPECT_TRUE(flows[0].all_arrived());
    EXPECT_TRUE(flows[1].all_arrived());
  }
}

}  // namespace
}  // namespace grpc_shm
