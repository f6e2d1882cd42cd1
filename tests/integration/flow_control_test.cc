// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A receiver that does not read stops its sender, and nobody else.

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

constexpr size_t kMessageBytes = 64 * 1024;
// Far more than what any transport may buffer for one call.
constexpr int kMessages = 1024;
constexpr uint64_t kBound = 16 << 20;
static_assert(kMessages * kMessageBytes > 2 * kBound, "");

// The only way to see that something never happens is to give it time.
constexpr absl::Duration kLongEnough = absl::Milliseconds(500);

class FlowControlTest : public TransportTest {
 protected:
  // Calls of all kinds go through.
  void ExpectOtherCallsWork(const ChannelPtr& channel) {
    for (int i = 0; i < 20; ++i) {
      EchoReply reply;
      EXPECT_THAT(CallUnary(channel, NewContext().get(),
                            PatternRequest(100000, i), &reply),
                  IsOk());
      EXPECT_TRUE(IsPayload(reply.payload(), 100000, i));
    }
    auto context = NewContext();
    auto stream = StartCall(StubFlavour::kSync, BIDI, channel, context.get());
    for (int i = 0; i < 20; ++i) {
      EchoReply reply;
      ASSERT_TRUE(stream->Write(PatternRequest(kMessageBytes, i)));
      ASSERT_TRUE(stream->Read(&reply));
      EXPECT_TRUE(IsPayload(reply.payload(), kMessageBytes, i));
    }
    EXPECT_TRUE(stream->WritesDone());
    EXPECT_THAT(stream->Finish(), IsOk());
  }
};

TEST_P(FlowControlTest, AServerThatDoesNotReadStopsItsClientAndNobodyElse) {
  StartServer();
  ChannelPtr channel = NewChannel();
  auto context = NewContext(
      MakeScript("stalled", {WaitForGate("gate"), ReadAll(), Summarize()}));
  auto call =
      StartCall(StubFlavour::kSync, CLIENT_STREAM, channel, context.get());
  std::atomic<int> accepted{0};
  absl::Notification all_accepted;
  std::thread writer([&] {
    const EchoRequest request = PatternRequest(kMessageBytes, 1);
    for (int i = 0; i < kMessages; ++i) {
      if (!call->Write(request)) break;
      ++accepted;
    }
    all_accepted.Notify();
  });
  ExpectOtherCallsWork(channel);
  EXPECT_FALSE(all_accepted.WaitForNotificationWithTimeout(kLongEnough));
  EXPECT_LE(accepted * kMessageBytes, kBound);
  ExpectOtherCallsWork(channel);

  server().OpenGate("gate");
  writer.join();
  EXPECT_EQ(accepted, kMessages);
  EXPECT_TRUE(call->WritesDone());
  EchoReply reply;
  EXPECT_TRUE(call->Read(&reply));
  EXPECT_EQ(reply.summary().bytes(), kMessages * kMessageBytes);
  EXPECT_THAT(call->Finish(), IsOk());
}

TEST_P(FlowControlTest, AClientThatDoesNotReadStopsItsServerAndNobodyElse) {
  StartServer();
  ChannelPtr channel = NewChannel();
  auto context =
      NewContext(MakeScript("eager", {WriteUntilFailure(kMessageBytes)}));
  auto call =
      StartCall(StubFlavour::kSync, SERVER_STREAM, channel, context.get());
  ASSERT_NE(server().AwaitEvent("eager", "started"), 0);
  ExpectOtherCallsWork(channel);
  EXPECT_EQ(server().AwaitEvent("eager", "written", kMessages, kLongEnough), 0);
  const uint64_t written = server().CountEvents("eager", "written");
  EXPECT_LE(written * kMessageBytes, kBound);
  ExpectOtherCallsWork(channel);

  // Reading lets it go on, in order.
  EchoReply reply;
  for (uint32_t i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(call->Read(&reply));
    ASSERT_TRUE(IsPayload(reply.payload(), kMessageBytes, i)) << i;
  }
  context->TryCancel();
  while (call->Read(&reply)) {
  }
  EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
  EXPECT_NE(server().AwaitEvent("eager", "finished"), 0);
}

TEST_P(FlowControlTest, ManyStalledStreamsStopNobodyElse) {
  StartServer();
  ChannelPtr channel = NewChannel();
  constexpr int kStalled = 20;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<ClientCall>> calls;
  for (int i = 0; i < kStalled; ++i) {
    contexts.push_back(
        NewContext(MakeScript("eager", {WriteUntilFailure(kMessageBytes)})));
    calls.push_back(StartCall(StubFlavour::kCallback, SERVER_STREAM, channel,
                              contexts.back().get()));
  }
  ASSERT_NE(server().AwaitEvent("eager", "started", kStalled), 0);
  ExpectOtherCallsWork(channel);
  for (auto& context : contexts) context->TryCancel();
  for (auto& call : calls) {
    EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
  }
  EXPECT_NE(server().AwaitEvent("eager", "finished", kStalled), 0);
  ExpectOtherCallsWork(channel);
}

// What was buffered for a stream that is over is available to others again.
TEST_P(FlowControlTest, AbandonedStreamsLeaveNothingInTheWay) {
  StartServer();
  ChannelPtr channel = NewChannel();
  constexpr int kRounds = 50;
  for (int i = 0; i < kRounds; ++i) {
    auto context =
        NewContext(MakeScript("eager", {WriteUntilFailure(kMessageBytes)}));
    auto call = StartCall(StubFlavour::kCallback, SERVER_STREAM, channel,
                          context.get());
    EchoReply reply;
    ASSERT_TRUE(call->Read(&reply));
    context->TryCancel();
    EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
  }
  EXPECT_NE(server().AwaitEvent("eager", "finished", kRounds), 0);
  ExpectOtherCallsWork(channel);
}

GRPC_SHM_INSTANTIATE(FlowControlTest, AllTransports);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
