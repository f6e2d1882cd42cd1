// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What a messenger answers to a peer that says what no messenger says, or does
// at a moment of the test's choice: see proto/inbox.proto.

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/inbox.grpc.pb.h"
#include "tests/integration/messenger_peer.h"
#include "tests/integration/transport_test.h"
#include "transport/channel.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::ElementsAre;

using ServerStream = grpc::ServerReaderWriter<v1::Packet, v1::Packet>;

v1::Packet Hello(const std::string& name, uint64_t room = 0) {
  v1::Packet packet;
  packet.mutable_hello()->set_name(name);
  packet.mutable_hello()->set_max_message_bytes(1000);
  packet.set_room(room);
  return packet;
}

v1::Packet Message(const std::string& data) {
  v1::Packet packet;
  packet.set_message(data);
  return packet;
}

// A call of Inbox.Send by the test.
class Call {
 public:
  explicit Call(const std::string& messenger)
      : context_(NewContext()),
        stub_(v1::Inbox::NewStub(CreateChannel("shm:" + messenger))),
        stream_(stub_->Send(context_.get())) {}

  bool Write(const v1::Packet& packet) { return stream_->Write(packet); }
  // An empty packet if none comes.
  v1::Packet Read() {
    v1::Packet packet;
    if (!stream_->Read(&packet)) packet.Clear();
    return packet;
  }
  // The status with which the messenger ends the call, whatever it says before.
  grpc::Status Finish() {
    v1::Packet packet;
    while (stream_->Read(&packet)) {
    }
    return stream_->Finish();
  }
  void WritesDone() { stream_->WritesDone(); }

 private:
  const std::unique_ptr<grpc::ClientContext> context_;
  const std::unique_ptr<v1::Inbox::Stub> stub_;
  const std::unique_ptr<grpc::ClientReaderWriter<v1::Packet, v1::Packet>>
      stream_;
};

// What listens at the test's own address. Lets a messenger's call wait for what
// the test does with it.
class Answers final : public v1::Inbox::Service {
 public:
  explicit Answers(const std::string& name) {
    ServerBuilder builder;
    server_ =
        builder.Listen("shm:" + name).RegisterService(this).BuildAndStart();
    EXPECT_NE(server_, nullptr);
  }
  ~Answers() override {
    if (!done_.HasBeenNotified()) done_.Notify();
  }

  // The messenger's call, after its Hello, which says that name.
  ServerStream* AwaitCall(const std::string& from) {
    EXPECT_TRUE(called_.WaitForNotificationWithTimeout(kPatience));
    EXPECT_EQ(hello_.hello().name(), from);
    return stream_;
  }
  // Ends it with OK.
  void EndCall() { done_.Notify(); }

 private:
  grpc::Status Send(grpc::ServerContext*, ServerStream* stream) override {
    EXPECT_TRUE(stream->Read(&hello_));
    stream_ = stream;
    called_.Notify();
    done_.WaitForNotification();
    return grpc::Status::OK;
  }

  v1::Packet hello_;
  ServerStream* stream_ = nullptr;
  absl::Notification called_, done_;
  std::unique_ptr<Server> server_;
};

// The test's process is `kSelf`, which is lesser than `kQ`; q is a messenger in
// a process of its own.
class MessengerProtocolTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(q_.Open(kQ, 2, 1000).ok()); }

  // A call that q has answered.
  std::unique_ptr<Call> NewLink() {
    auto call = std::make_unique<Call>(kQ);
    EXPECT_TRUE(call->Write(Hello(kSelf)));
    const v1::Packet answer = call->Read();
    EXPECT_EQ(answer.hello().name(), kQ);
    EXPECT_EQ(answer.hello().max_message_bytes(), 1000u);
    EXPECT_EQ(answer.room(), 2u);
    return call;
  }

  const std::string kSelf = NewName();
  const std::string kQ = NewName();
  MessengerPeer q_;
};

// ---- Who calls

TEST_F(MessengerProtocolTest, ACallerMustHoldTheNameThatItClaims) {
  const std::string victim = NewName();
  MessengerPeer holder;
  ASSERT_TRUE(holder.Open(victim).ok());
  for (const std::string& name : {victim, NewName()}) {
    Call impostor(kQ);
    EXPECT_TRUE(impostor.Write(Hello(name)));
    EXPECT_THAT(impostor.Finish(),
                HasCode(grpc::StatusCode::PERMISSION_DENIED));
  }
  // The holder itself is not concerned, whether it has a link or not.
  ASSERT_TRUE(holder.Send(kQ, "before").ok());
  Call impostor(kQ);
  EXPECT_TRUE(impostor.Write(Hello(victim)));
  impostor.Write(Message("of the impostor"));
  EXPECT_THAT(impostor.Finish(), HasCode(grpc::StatusCode::PERMISSION_DENIED));
  ASSERT_TRUE(holder.Send(kQ, "after").ok());
  EXPECT_THAT(q_.Receive(victim, 2), ElementsAre("before", "after"));
}

TEST_F(MessengerProtocolTest, TheProcessThatHoldsTheNameIsLetIn) {
  Answers answers(kSelf);
  auto call = NewLink();
  EXPECT_TRUE(call->Write(Message("hello")));
  EXPECT_EQ(call->Read().arrived(), 1u);
  EXPECT_THAT(q_.Receive(kSelf), ElementsAre("hello"));
}

TEST_F(MessengerProtocolTest, WhatIsNoNameIsRefused) {
  for (const std::string& name :
       {std::string(), std::string("../a"), std::string(65, 'a'), kQ}) {
    Call call(kQ);
    EXPECT_TRUE(call.Write(Hello(name)));
    EXPECT_THAT(call.Finish(), HasCode(grpc::StatusCode::INVALID_ARGUMENT));
  }
}

// ---- What it says

TEST_F(MessengerProtocolTest, TheFirstPacketMustHaveAHello) {
  Call call(kQ);
  EXPECT_TRUE(call.Write(Message("hello")));
  EXPECT_THAT(call.Finish(), HasCode(grpc::StatusCode::INVALID_ARGUMENT));
}

TEST_F(MessengerProtocolTest, NoOtherPacketMayHaveAHello) {
  Answers answers(kSelf);
  auto call = NewLink();
  EXPECT_TRUE(call->Write(Hello(kSelf)));
  EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::INVALID_ARGUMENT));
}

TEST_F(MessengerProtocolTest, NoMoreMessagesMayComeThanThereIsRoomFor) {
  Answers answers(kSelf);
  auto call = NewLink();
  EXPECT_TRUE(call->Write(Message("0")));
  EXPECT_TRUE(call->Write(Message("1")));
  call->Write(Message("2"));
  EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::INVALID_ARGUMENT));
  EXPECT_THAT(q_.Receive(kSelf, 2), ElementsAre("0", "1"));
  // q goes on, with the places that are free, here as elsewhere.
  call = NewLink();  // until it has arrived: whose call ends has cancelled it
  EXPECT_TRUE(call->Write(Message("3")));
  EXPECT_THAT(q_.Receive(kSelf), ElementsAre("3"));
}

TEST_F(MessengerProtocolTest, CountsMustBePossible) {
  Answers answers(kSelf);
  v1::Packet arrived;
  arrived.set_arrived(1);
  auto call = NewLink();
  EXPECT_TRUE(call->Write(arrived));
  EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::INVALID_ARGUMENT));
  v1::Packet room;
  room.set_room(2);
  call = NewLink();
  EXPECT_TRUE(call->Write(room));
  room.set_room(1);
  call->Write(room);
  EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::INVALID_ARGUMENT));
}

TEST_F(MessengerProtocolTest, APacketOverTheLimitIsRefused) {
  Answers answers(kSelf);
  auto call = NewLink();
  call->Write(Message(std::string(10'000, 'x')));
  EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
}

TEST_F(MessengerProtocolTest, ACalledMessengerMustHaveTheNameThatIsCalled) {
  Answers answers(kSelf);
  q_.Begin(SendCommand(kSelf, "hello"));
  answers.AwaitCall(kQ)->Write(Hello("another", 1));
  EXPECT_EQ(q_.End().code(), absl::StatusCode::kFailedPrecondition);
}

// ---- Which call is the link

TEST_F(MessengerProtocolTest, OfTwoCallsTheLesserNamesStays) {
  Answers answers(kSelf);
  q_.Begin(SendCommand(kSelf, "hello"));
  ServerStream* unanswered = answers.AwaitCall(kQ);
  Call call(kQ);
  EXPECT_TRUE(call.Write(Hello(kSelf, 1)));
  v1::Packet answer = call.Read();
  EXPECT_EQ(answer.hello().name(), kQ);
  // q has given its own up.
  v1::Packet packet;
  EXPECT_FALSE(unanswered->Read(&packet));
  answers.EndCall();
  // The message may come with the answer or after it.
  if (!answer.has_message()) answer = call.Read();
  EXPECT_EQ(answer.message(), "hello");
  v1::Packet arrived;
  arrived.set_arrived(1);
  EXPECT_TRUE(call.Write(arrived));
  EXPECT_TRUE(q_.End().ok());
}

TEST_F(MessengerProtocolTest, OfTwoCallsTheGreaterNamesIsLeftUnanswered) {
  const std::string greater = NewName();
  Answers answers(greater);
  q_.Begin(SendCommand(greater, "hello"));
  ServerStream* called = answers.AwaitCall(kQ);
  Call call(kQ);
  EXPECT_TRUE(call.Write(Hello(greater, 1)));
  EXPECT_TRUE(called->Write(Hello(greater, 1)));
  v1::Packet packet;
  EXPECT_TRUE(called->Read(&packet));
  EXPECT_EQ(packet.message(), "hello");
  packet.Clear();
  packet.set_arrived(1);
  EXPECT_TRUE(called->Write(packet));
  EXPECT_TRUE(q_.End().ok());
  // Its turn comes when the link has ended.
  answers.EndCall();
  EXPECT_EQ(call.Read().hello().name(), kQ);
  EXPECT_TRUE(call.Write(Message("over the other")));
  EXPECT_THAT(q_.Receive(greater), ElementsAre("over the other"));
}

TEST_F(MessengerProtocolTest, ASecondCallWaitsForTheEndOfTheFirst) {
  Answers answers(kSelf);
  auto first = NewLink();
  Call second(kQ);
  EXPECT_TRUE(second.Write(Hello(kSelf)));
  EXPECT_TRUE(first->Write(Message("0")));
  EXPECT_EQ(first->Read().arrived(), 1u);
  first->WritesDone();
  EXPECT_THAT(first->Finish(), IsOk());
  const v1::Packet answer = second.Read();
  EXPECT_EQ(answer.hello().name(), kQ);
  EXPECT_EQ(answer.room(), 1u);  // "0" has the other place
}

TEST_F(MessengerProtocolTest, AClosedMessengerEndsItsLinkAndRefusesTheRest) {
  Answers answers(kSelf);
  auto link = NewLink();
  Call waiting(kQ);
  EXPECT_TRUE(waiting.Write(Hello(kSelf)));
  std::thread closer([this] { EXPECT_TRUE(q_.Close().ok()); });
  EXPECT_THAT(link->Finish(), IsOk());
  EXPECT_THAT(waiting.Finish(), HasCode(grpc::StatusCode::UNAVAILABLE));
  closer.join();
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
