// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Servers that come back, and processes that are only stopped.

#include <signal.h>

#include <thread>

#include "absl/time/clock.h"
#include "tests/crash/client_process.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

class RestartTest : public TransportTest {
 protected:
  void SetUp() override {
    config_.add_addresses(NewAddress(GetParam()));
    StartServer(config_);
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
    channel_ = NewChannel(arguments);
    ASSERT_THAT(CallUnary(channel_), IsOk());
  }

  // Until the channel knows that its server is gone.
  void KillServer() {
    server().process()->Kill();
    if (channel_->GetState(false) == GRPC_CHANNEL_READY) {
      ASSERT_TRUE(channel_->WaitForStateChange(
          GRPC_CHANNEL_READY, absl::ToChronoTime(absl::Now() + kPatience)));
    }
  }

  ServerConfig config_;
  ChannelPtr channel_;
};

TEST_P(RestartTest, TheNextCallWorks) {
  for (int i = 0; i < 20; ++i) {
    KillServer();
    StartServer(config_);
    if (GetParam() == Transport::kUnix) {
      // A socket's channel may be waiting for its next try to connect.
      ASSERT_TRUE(channel_->WaitForConnected(
          absl::ToChronoTime(absl::Now() + kPatience)));
    }
    ASSERT_THAT(CallUnary(channel_), IsOk()) << i;
  }
}

TEST_P(RestartTest, TheNextCallWorksAfterCallsHaveFailed) {
  for (int i = 0; i < 5; ++i) {
    KillServer();
    for (int call = 0; call < 3; ++call) {
      EXPECT_THAT(CallUnary(channel_), HasCode(grpc::StatusCode::UNAVAILABLE));
    }
    StartServer(config_);
    if (GetParam() == Transport::kUnix) {
      ASSERT_TRUE(channel_->WaitForConnected(
          absl::ToChronoTime(absl::Now() + kPatience)));
    }
    ASSERT_THAT(CallUnary(channel_), IsOk()) << i;
  }
}

TEST_P(RestartTest, WaitingCallsResumePromptly) {
  for (int i = 0; i < 5; ++i) {
    KillServer();
    int64_t resumed = 0;
    std::thread caller([&] {
      auto context = NewContext();
      context->set_wait_for_ready(true);
      EXPECT_THAT(CallUnary(channel_, context.get()), IsOk());
      resumed = MonotonicNanos();
    });
    // Nobody is there: who does not wait fails, and by then the channel has
    // tried in vain.
    EXPECT_THAT(CallUnary(channel_), HasCode(grpc::StatusCode::UNAVAILABLE));
    StartServer(config_);
    const int64_t returned = MonotonicNanos();
    caller.join();
    // A socket's channel tries again when its backoff ends, not when the
    // server comes back.
    if (IsShm(GetParam())) {
      EXPECT_LE(absl::Nanoseconds(resumed - returned), kPromptly);
    }
  }
}

TEST_P(RestartTest, ManyWaitingCallsOfManyChannelsResume) {
  KillServer();
  constexpr int kChannels = 10;
  constexpr int kCalls = 5;
  std::vector<ChannelPtr> channels;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<ClientCall>> calls;
  for (int channel = 0; channel < kChannels; ++channel) {
    channels.push_back(NewChannel());
    for (int i = 0; i < kCalls; ++i) {
      contexts.push_back(NewContext());
      contexts.back()->set_wait_for_ready(true);
      calls.push_back(StartCall(StubFlavour::kCallback, UNARY, channels.back(),
                                contexts.back().get(), PatternRequest(100, i)));
    }
  }
  StartServer(config_);
  for (int i = 0; i < kChannels * kCalls; ++i) {
    EchoReply reply;
    EXPECT_TRUE(calls[i]->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 100, i % kCalls));
    EXPECT_THAT(calls[i]->Finish(), IsOk());
  }
}

TEST_P(RestartTest, AfterAnOrderlyShutdownWorksToo) {
  for (int i = 0; i < 5; ++i) {
    server().BeginShutdown(absl::Milliseconds(100));
    ASSERT_NE(server().AwaitEvent("server", "shutdown"), 0);
    KillServer();
    StartServer(config_);
    auto context = NewContext();
    context->set_wait_for_ready(true);
    ASSERT_THAT(CallUnary(channel_, context.get()), IsOk()) << i;
  }
}

// SIGSTOP is not death.

class StoppedPeerTest : public RestartTest {};

TEST_P(StoppedPeerTest, ServerLetsCallsWaitForTheirDeadline) {
  server().process()->Stop();
  const absl::Time start = absl::Now();
  EXPECT_THAT(CallUnary(channel_, NewContext(absl::Milliseconds(300)).get()),
              HasCode(grpc::StatusCode::DEADLINE_EXCEEDED));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(300));
  EXPECT_EQ(channel_->GetState(false), GRPC_CHANNEL_READY);
  server().process()->Signal(SIGCONT);
  EXPECT_THAT(CallUnary(channel_), IsOk());
}

TEST_P(StoppedPeerTest, ServerLetsNewChannelsWait) {
  server().process()->Stop();
  ChannelPtr channel = NewChannel();
  EXPECT_THAT(CallUnary(channel, NewContext(absl::Milliseconds(300)).get()),
              HasCode(grpc::StatusCode::DEADLINE_EXCEEDED));
  auto context = NewContext();
  context->set_wait_for_ready(true);
  auto call = StartCall(StubFlavour::kCallback, UNARY, channel, context.get());
  server().process()->Signal(SIGCONT);
  EXPECT_THAT(call->Finish(), IsOk());
}

TEST_P(StoppedPeerTest, ServerGoesOnWhereItWas) {
  auto context = NewContext();
  auto stream =
      StartCall(StubFlavour::kCallback, BIDI, channel_, context.get());
  EchoReply reply;
  for (int i = 0; i < 5; ++i) {
    server().process()->Stop();
    // Fits into any window: accepted although nobody reads now.
    ASSERT_TRUE(stream->Write(PatternRequest(1000, i)));
    server().process()->Signal(SIGCONT);
    ASSERT_TRUE(stream->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 1000, i));
  }
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_THAT(stream->Finish(), IsOk());
}

TEST_P(StoppedPeerTest, ServerCanBeCancelledAndAbandoned) {
  auto context = NewContext(MakeScript("k", {WaitForCancellation()}));
  auto call = StartCall(StubFlavour::kCallback, UNARY, channel_, context.get());
  ASSERT_NE(server().AwaitEvent("k", "started"), 0);
  server().process()->Stop();
  context->TryCancel();
  EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
  server().process()->Signal(SIGCONT);
  EXPECT_NE(server().AwaitEvent("k", "cancelled"), 0);
}

TEST_P(StoppedPeerTest, ClientLetsItsServerServeOthers) {
  auto client = NewClientProcess(config_.addresses(0), GetParam());
  ControlRequest request;
  StartCalls& start = *request.mutable_start_calls();
  start.set_count(3);
  start.set_kind(SERVER_STREAM);
  Script script;
  *script.add_steps() = WriteUntilFailure(50000);
  script.set_key("flood");
  start.set_script(script.SerializeAsString());
  ASSERT_EQ(client->Command(request).code(), 0);
  ASSERT_NE(server().AwaitEvent("flood", "written", 3), 0);
  client->Stop();
  for (int i = 0; i < 20; ++i) EXPECT_THAT(CallUnary(channel_), IsOk());
  // Its calls are still there.
  EXPECT_EQ(server().CountEvents("flood", "finished"), 0);
  const int64_t written = server().CountEvents("flood", "written");
  client->Signal(SIGCONT);
  EXPECT_NE(server().AwaitEvent("flood", "written", written + 100), 0);
}

GRPC_SHM_INSTANTIATE(RestartTest, ConnectedTransports);
GRPC_SHM_INSTANTIATE(StoppedPeerTest, ConnectedTransports);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
