// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::HasSubstr;

// An in-process channel exists only with its server: nothing to wait for.
class WaitForReadyTest : public TransportTest {
 protected:
  void SetUp() override {
    address_ = NewAddress(GetParam());
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
    channel_ = MakeChannel(address_, arguments);
  }

  void StartServerAtAddress() {
    ServerConfig config;
    config.add_addresses(address_);
    StartServer(config);
  }

  std::string address_;
  ChannelPtr channel_;
};

TEST_P(WaitForReadyTest, WithoutItACallFailsAtOnceWhenNobodyListens) {
  for (StubFlavour stub : kAllStubFlavours) {
    for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
      const absl::Time start = absl::Now();
      auto context = NewContext();
      auto call = StartCall(stub, kind, channel_, context.get());
      EchoReply reply;
      EXPECT_FALSE(call->Read(&reply));
      const grpc::Status status = call->Finish();
      EXPECT_THAT(status, HasCode(grpc::StatusCode::UNAVAILABLE));
      // At once: not at the deadline.
      EXPECT_LE(absl::Now() - start, absl::Seconds(5));
    }
  }
}

TEST_P(WaitForReadyTest, WithoutItACallWorksOnceTheServerIsThere) {
  EXPECT_THAT(CallUnary(channel_), HasCode(grpc::StatusCode::UNAVAILABLE));
  StartServerAtAddress();
  ASSERT_TRUE(
      channel_->WaitForConnected(absl::ToChronoTime(absl::Now() + kPatience)));
  EXPECT_THAT(CallUnary(channel_), IsOk());
}

TEST_P(WaitForReadyTest, ACallWaitsForItsServer) {
  for (StubFlavour stub : kAllStubFlavours) {
    SCOPED_TRACE(StubFlavourName(stub));
    SetUp();
    std::thread caller([&] {
      auto context = NewContext();
      context->set_wait_for_ready(true);
      auto call = StartCall(stub, BIDI, channel_, context.get());
      EXPECT_TRUE(call->Write(PatternRequest(100, 1)));
      EchoReply reply;
      EXPECT_TRUE(call->Read(&reply));
      EXPECT_TRUE(IsPayload(reply.payload(), 100, 1));
      EXPECT_TRUE(call->WritesDone());
      EXPECT_FALSE(call->Read(&reply));
      EXPECT_THAT(call->Finish(), IsOk());
    });
    // Somebody who does not wait shows that the channel has failed to connect.
    EXPECT_THAT(CallUnary(channel_), HasCode(grpc::StatusCode::UNAVAILABLE));
    StartServerAtAddress();
    caller.join();
    RemoveServer();
  }
}

TEST_P(WaitForReadyTest, ManyCallsWait) {
  constexpr int kCalls = 50;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<ClientCall>> calls;
  for (int i = 0; i < kCalls; ++i) {
    contexts.push_back(NewContext());
    contexts.back()->set_wait_for_ready(true);
    calls.push_back(StartCall(StubFlavour::kCallback, UNARY, channel_,
                              contexts.back().get(), PatternRequest(1000, i)));
  }
  EXPECT_THAT(CallUnary(channel_), HasCode(grpc::StatusCode::UNAVAILABLE));
  StartServerAtAddress();
  for (int i = 0; i < kCalls; ++i) {
    EchoReply reply;
    EXPECT_TRUE(calls[i]->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 1000, i));
    EXPECT_THAT(calls[i]->Finish(), IsOk());
  }
}

TEST_P(WaitForReadyTest, EndsAtTheDeadline) {
  const absl::Time start = absl::Now();
  auto context = NewContext(absl::Milliseconds(200));
  context->set_wait_for_ready(true);
  EXPECT_THAT(CallUnary(channel_, context.get()),
              HasCode(grpc::StatusCode::DEADLINE_EXCEEDED));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(200));
}

TEST_P(WaitForReadyTest, EndsWhenTheClientCancels) {
  for (CallKind kind : {UNARY, BIDI}) {
    auto context = NewContext();
    context->set_wait_for_ready(true);
    auto call =
        StartCall(StubFlavour::kCallback, kind, channel_, context.get());
    const int64_t cancelled = MonotonicNanos();
    context->TryCancel();
    EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
    EXPECT_LE(absl::Nanoseconds(MonotonicNanos() - cancelled), kPromptly);
  }
}

TEST_P(WaitForReadyTest, ACallWaitsForTheNextServer) {
  StartServerAtAddress();
  ASSERT_THAT(CallUnary(channel_), IsOk());
  RemoveServer();
  // A call that has gone to a dead server fails, waiting or not: the channel
  // must know.
  ASSERT_TRUE(channel_->WaitForStateChange(
      GRPC_CHANNEL_READY, absl::ToChronoTime(absl::Now() + kPatience)));
  std::thread caller([&] {
    auto context = NewContext();
    context->set_wait_for_ready(true);
    EXPECT_THAT(CallUnary(channel_, context.get()), IsOk());
  });
  StartServerAtAddress();
  caller.join();
}

GRPC_SHM_INSTANTIATE(WaitForReadyTest, ConnectedTransports);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
