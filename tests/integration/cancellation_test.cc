// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

using CancellationTest = TransportTest;

TEST_P(CancellationTest, BeforeTheStartFailsTheCall) {
  StartServer();
  ChannelPtr channel = NewChannel();
  ASSERT_THAT(CallUnary(channel), IsOk());
  for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
    auto context = NewContext(MakeScript("early", {WaitForCancellation()}));
    context->TryCancel();
    auto call = StartCall(StubFlavour::kSync, kind, channel, context.get());
    EchoReply reply;
    EXPECT_FALSE(call->Read(&reply));
    EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::CANCELLED)) << kind;
  }
}

// Nobody sends anything in any of these calls when they are cancelled.
TEST_P(CancellationTest, ByTheClientIsSeenPromptlyByEveryService) {
  for (ServiceFlavour service :
       {SYNC, ASYNC, CALLBACK, ASYNC_GENERIC, CALLBACK_GENERIC}) {
    ServerConfig config;
    config.set_flavour(service);
    StartServer(config);
    ChannelPtr channel = NewChannel();
    for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
      const std::string key = absl::StrCat("service ", service, " kind ", kind);
      auto context = NewContext(MakeScript(key, {WaitForCancellation()}));
      // (An asynchronous unary stub sends nothing before Finish.)
      auto call =
          StartCall(StubFlavour::kCallback, kind, channel, context.get());
      ASSERT_NE(server().AwaitEvent(key, "started"), 0) << key;
      const int64_t cancelled = MonotonicNanos();
      context->TryCancel();
      const int64_t seen = server().AwaitEvent(key, "cancelled");
      ASSERT_NE(seen, 0) << key;
      EXPECT_LE(absl::Nanoseconds(seen - cancelled), kPromptly) << key;
      EchoReply reply;
      EXPECT_FALSE(call->Read(&reply));
      EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::CANCELLED)) << key;
    }
  }
}

TEST_P(CancellationTest, WakesAHandlerThatIsReading) {
  StartServer();
  for (CallKind kind : {CLIENT_STREAM, BIDI}) {
    const std::string key = absl::StrCat("reader ", kind);
    auto context = NewContext(MakeScript(key, {ReadAll()}));
    auto call =
        StartCall(StubFlavour::kAsync, kind, NewChannel(), context.get());
    ASSERT_TRUE(call->Write(PatternRequest(10, 1)));
    ASSERT_NE(server().AwaitEvent(key, "read"), 0);
    const int64_t cancelled = MonotonicNanos();
    context->TryCancel();
    const int64_t finished = server().AwaitEvent(key, "finished");
    ASSERT_NE(finished, 0);
    EXPECT_LE(absl::Nanoseconds(finished - cancelled), kPromptly);
    EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
  }
}

TEST_P(CancellationTest, WakesAHandlerThatIsWritingToAClientThatDoesNotRead) {
  StartServer();
  auto context = NewContext(MakeScript("writer", {WriteUntilFailure(100000)}));
  auto call = StartCall(StubFlavour::kAsync, SERVER_STREAM, NewChannel(),
                        context.get());
  ASSERT_NE(server().AwaitEvent("writer", "started"), 0);
  EchoReply reply;
  ASSERT_TRUE(call->Read(&reply));
  const int64_t cancelled = MonotonicNanos();
  context->TryCancel();
  const int64_t finished = server().AwaitEvent("writer", "finished");
  ASSERT_NE(finished, 0);
  EXPECT_LE(absl::Nanoseconds(finished - cancelled), kPromptly);
  while (call->Read(&reply)) {
  }
  EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
}

TEST_P(CancellationTest, WakesAClientThatIsBlockedInWrite) {
  StartServer();
  auto context =
      NewContext(MakeScript("deaf", {HoldAtGate("gate"), ReadAll()}));
  auto call = StartCall(StubFlavour::kSync, BIDI, NewChannel(), context.get());
  ASSERT_NE(server().AwaitEvent("deaf", "started"), 0);
  std::thread canceller([&] {
    // The writer may or may not have reached its last accepted byte by now:
    // either way it must come back.
    ASSERT_NE(server().AwaitEvent("deaf", "started"), 0);
    context->TryCancel();
  });
  const EchoRequest request = PatternRequest(100000, 1);
  while (call->Write(request)) {
  }
  canceller.join();
  EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
  server().OpenGate("gate");
  EXPECT_NE(server().AwaitEvent("deaf", "finished"), 0);
}

// The handler neither returns nor sends: its cancellation alone tells the
// client.
TEST_P(CancellationTest, ByTheServerIsSeenPromptlyByTheClient) {
  for (ServiceFlavour service : {SYNC, ASYNC, CALLBACK}) {
    ServerConfig config;
    config.set_flavour(service);
    StartServer(config);
    ChannelPtr channel = NewChannel();
    for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
      const std::string key = absl::StrCat("service ", service, " kind ", kind);
      auto context =
          NewContext(MakeScript(key, {CancelCall(), HoldAtGate(key)}));
      auto call = StartCall(StubFlavour::kSync, kind, channel, context.get());
      EchoReply reply;
      EXPECT_FALSE(call->Read(&reply)) << key;
      EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::CANCELLED)) << key;
      const int64_t seen = MonotonicNanos();
      const int64_t cancelled = server().AwaitEvent(key, "cancelling");
      EXPECT_LE(absl::Nanoseconds(seen - cancelled), kPromptly) << key;
      server().OpenGate(key);
    }
  }
}

TEST_P(CancellationTest, OfOneCallLeavesTheOthersAlone) {
  StartServer();
  ChannelPtr channel = NewChannel();
  auto other_context = NewContext();
  auto other =
      StartCall(StubFlavour::kSync, BIDI, channel, other_context.get());
  EchoReply reply;
  for (int i = 0; i < 10; ++i) {
    const std::string key = absl::StrCat("cancelled ", i);
    auto context = NewContext(MakeScript(key, {WaitForCancellation()}));
    auto call = StartCall(StubFlavour::kAsync, BIDI, channel, context.get());
    ASSERT_NE(server().AwaitEvent(key, "started"), 0);
    context->TryCancel();
    EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
    ASSERT_TRUE(other->Write(PatternRequest(100, i)));
    ASSERT_TRUE(other->Read(&reply));
  }
  EXPECT_TRUE(other->WritesDone());
  EXPECT_THAT(other->Finish(), IsOk());
}

TEST_P(CancellationTest, AfterTheEndDoesNothing) {
  StartServer();
  ChannelPtr channel = NewChannel();
  auto context = NewContext();
  EXPECT_THAT(CallUnary(channel, context.get()), IsOk());
  context->TryCancel();
  EXPECT_THAT(CallUnary(channel), IsOk());
}

TEST_P(CancellationTest, InTheMiddleOfALargeMessageLeavesTheChannelWorking) {
  ServerConfig config;
  config.set_max_receive_message_bytes(-1);
  StartServer(config);
  ChannelPtr channel = NewChannel();
  const EchoRequest large = PatternRequest(16 << 20, 1);
  for (int i = 0; i < 3; ++i) {
    const std::string key = absl::StrCat("large ", i);
    auto context = NewContext(MakeScript(key, {ReadAll(), Summarize()}));
    std::thread caller([&] {
      auto call =
          StartCall(StubFlavour::kSync, CLIENT_STREAM, channel, context.get());
      while (call->Write(large)) {
      }
      EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
    });
    EXPECT_NE(server().AwaitEvent(key, "read", i + 1), 0);
    context->TryCancel();
    caller.join();
    EXPECT_NE(server().AwaitEvent(key, "finished"), 0);
    EXPECT_THAT(CallUnary(channel), IsOk());
  }
}

// Cancels at whatever moment it happens to be: before the server has heard of
// the call, while it answers, after it has.
TEST_P(CancellationTest, AtAnyMomentLeavesTheChannelWorking) {
  StartServer();
  ChannelPtr channel = NewChannel();
  constexpr int kCalls = 300;
  int cancelled = 0;
  for (int i = 0; i < kCalls; ++i) {
    auto context = NewContext();
    auto call = StartCall(StubFlavour::kCallback, UNARY, channel, context.get(),
                          PatternRequest(100, i));
    for (volatile int spin = 0; spin < i * 500; spin = spin + 1) {
    }
    context->TryCancel();
    EchoReply reply;
    call->Read(&reply);
    const grpc::Status status = call->Finish();
    if (status.error_code() == grpc::StatusCode::CANCELLED) {
      ++cancelled;
    } else {
      EXPECT_THAT(status, IsOk());
    }
  }
  EXPECT_GT(cancelled, 0);
  EXPECT_THAT(CallUnary(channel), IsOk());
}

GRPC_SHM_INSTANTIATE(CancellationTest, AllTransports);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
