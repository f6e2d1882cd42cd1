// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A synchronous handler may take as long as it likes: it delays nobody, whether
// or not the thread that has read its request runs it.

#include "absl/strings/str_cat.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

class BlockingHandlerTest : public TransportTest {
 protected:
  struct Call {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<ClientCall> call;
  };

  void SetUp() override { StartServer(); }

  Call Start(CallKind kind, const ChannelPtr& channel, const Script& script,
             const EchoRequest& request = {}) {
    Call result;
    result.context = NewContext(script);
    result.call = StartCall(StubFlavour::kCallback, kind, channel,
                            result.context.get(), request);
    return result;
  }

  // Until its handler runs.
  Call StartAndAwait(CallKind kind, const ChannelPtr& channel,
                     const Script& script) {
    Call call = Start(kind, channel, script);
    EXPECT_NE(server().AwaitEvent(script.key(), "started"), 0);
    return call;
  }

  void ExpectPromptUnary(const ChannelPtr& channel) {
    const int64_t start = MonotonicNanos();
    EchoReply reply;
    EXPECT_THAT(
        CallUnary(channel, NewContext().get(), PatternRequest(100, 7), &reply),
        IsOk());
    EXPECT_TRUE(IsPayload(reply.payload(), 100, 7));
    EXPECT_LE(absl::Nanoseconds(MonotonicNanos() - start), kPromptly);
  }

  void ExpectPromptStream(const ChannelPtr& channel) {
    const int64_t start = MonotonicNanos();
    auto context = NewContext();
    auto call = StartCall(StubFlavour::kSync, BIDI, channel, context.get());
    EchoReply reply;
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(call->Write(PatternRequest(100, i)));
      ASSERT_TRUE(call->Read(&reply));
      EXPECT_TRUE(IsPayload(reply.payload(), 100, i));
    }
    EXPECT_TRUE(call->WritesDone());
    EXPECT_THAT(call->Finish(), IsOk());
    EXPECT_LE(absl::Nanoseconds(MonotonicNanos() - start), kPromptly);
  }

  void FinishAll(std::vector<Call>& calls,
                 const ::testing::Matcher<const grpc::Status&>& expected) {
    EchoReply reply;
    for (Call& call : calls) {
      while (call.call->Read(&reply)) {
      }
      EXPECT_THAT(call.call->Finish(), expected);
    }
  }
};

TEST_P(BlockingHandlerTest, DelaysNobodyOnItsLinkNorOnOthers) {
  ChannelPtr same = NewChannel();
  ChannelPtr other = NewChannel();
  ExpectPromptUnary(other);
  std::vector<Call> blocked;
  for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
    const std::string key = absl::StrCat("blocked ", kind);
    blocked.push_back(
        StartAndAwait(kind, same, MakeScript(key, {HoldAtGate("gate")})));
    for (int i = 0; i < 10; ++i) {
      ExpectPromptUnary(same);
      ExpectPromptUnary(other);
      ExpectPromptStream(same);
      ExpectPromptStream(other);
    }
  }
  server().OpenGate("gate");
  FinishAll(blocked, IsOk());
  ExpectPromptUnary(same);
}

TEST_P(BlockingHandlerTest, OfAHundredAtATimeDelaysNobody) {
  constexpr int kBlocked = 100;
  ChannelPtr same = NewChannel();
  ChannelPtr other = NewChannel();
  std::vector<Call> blocked;
  for (int i = 0; i < kBlocked; ++i) {
    blocked.push_back(Start(UNARY, same,
                            MakeScript("k", {HoldAtGate("gate"), EchoAll()}),
                            PatternRequest(100, i)));
  }
  ASSERT_NE(server().AwaitEvent("k", "started", kBlocked), 0);
  for (int i = 0; i < 20; ++i) {
    ExpectPromptUnary(same);
    ExpectPromptUnary(other);
    ExpectPromptStream(same);
  }
  EXPECT_EQ(server().CountEvents("k", "finished"), 0);
  server().OpenGate("gate");
  for (int i = 0; i < kBlocked; ++i) {
    EchoReply reply;
    EXPECT_TRUE(blocked[i].call->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 100, i));
    EXPECT_THAT(blocked[i].call->Finish(), IsOk());
  }
}

// They are likely to be read together, so that the first one's handler begins
// before anybody has looked at the others.
TEST_P(BlockingHandlerTest, InABurstHoldsUpNobodyBehindIt) {
  constexpr int kBehind = 200;
  ChannelPtr channel = NewChannel();
  ExpectPromptUnary(channel);
  for (int round = 0; round < 5; ++round) {
    const std::string key = absl::StrCat("first ", round);
    std::vector<Call> calls;
    calls.push_back(
        Start(UNARY, channel,
              MakeScript(key, {HoldAtGate(key), WritePattern(10, round)})));
    for (int i = 0; i < kBehind; ++i) {
      calls.push_back(Start(i % 4 == 0 ? SERVER_STREAM : UNARY, channel,
                            MakeScript("behind"), PatternRequest(10, i)));
    }
    // All of them, while the first one waits.
    for (int i = 1; i <= kBehind; ++i) {
      EchoReply reply;
      while (calls[i].call->Read(&reply)) {
      }
      EXPECT_THAT(calls[i].call->Finish(), IsOk());
    }
    EXPECT_EQ(server().CountEvents(key, "finished"), 0);
    server().OpenGate(key);
    EchoReply reply;
    EXPECT_TRUE(calls[0].call->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 10, round));
    EXPECT_THAT(calls[0].call->Finish(), IsOk());
  }
}

// Every second call of a burst blocks, so that there is always another one
// behind a handler that does.
TEST_P(BlockingHandlerTest, InABurstMayBeAnyOfThem) {
  constexpr int kCalls = 100;
  ChannelPtr channel = NewChannel();
  std::vector<Call> blocked;
  std::vector<Call> passing;
  for (int i = 0; i < kCalls; ++i) {
    blocked.push_back(
        Start(UNARY, channel, MakeScript("k", {HoldAtGate("g"), EchoAll()})));
    passing.push_back(Start(UNARY, channel, MakeScript("p")));
  }
  FinishAll(passing, IsOk());
  EXPECT_NE(server().AwaitEvent("k", "started", kCalls), 0);
  EXPECT_EQ(server().CountEvents("k", "finished"), 0);
  server().OpenGate("g");
  FinishAll(blocked, IsOk());
}

TEST_P(BlockingHandlerTest, InReadOrWriteDelaysNobody) {
  ChannelPtr same = NewChannel();
  std::vector<Call> stalled;
  for (int i = 0; i < 10; ++i) {
    stalled.push_back(StartAndAwait(
        BIDI, same, MakeScript(absl::StrCat("reader ", i), {ReadAll()})));
    // Its client reads nothing: it stops when the window is full.
    stalled.push_back(StartAndAwait(
        SERVER_STREAM, same,
        MakeScript(absl::StrCat("writer ", i), {WriteUntilFailure(100000)})));
    ExpectPromptUnary(same);
    ExpectPromptStream(same);
  }
  for (Call& call : stalled) call.context->TryCancel();
  FinishAll(stalled, HasCode(grpc::StatusCode::CANCELLED));
  for (int i = 0; i < 10; ++i) {
    EXPECT_NE(server().AwaitEvent(absl::StrCat("reader ", i), "finished"), 0);
    EXPECT_NE(server().AwaitEvent(absl::StrCat("writer ", i), "finished"), 0);
  }
}

// What a client does to its call reaches the handler, and what the server does
// reaches the client, though the handler does not look.
TEST_P(BlockingHandlerTest, LetsItsOwnClientCancel) {
  ChannelPtr channel = NewChannel();
  Call call =
      StartAndAwait(UNARY, channel, MakeScript("k", {HoldAtGate("gate")}));
  const int64_t start = MonotonicNanos();
  call.context->TryCancel();
  EXPECT_THAT(call.call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
  EXPECT_LE(absl::Nanoseconds(MonotonicNanos() - start), kPromptly);
  EXPECT_EQ(server().CountEvents("k", "finished"), 0);
  ExpectPromptUnary(channel);
  server().OpenGate("gate");
  EXPECT_NE(server().AwaitEvent("k", "finished"), 0);
}

TEST_P(BlockingHandlerTest, OutlivesTheChannelOfItsCall) {
  ChannelPtr other = NewChannel();
  Call call =
      StartAndAwait(UNARY, NewChannel(), MakeScript("k", {HoldAtGate("gate")}));
  call.context->TryCancel();
  EXPECT_THAT(call.call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
  call = Call();
  for (int i = 0; i < 10; ++i) ExpectPromptUnary(other);
  server().OpenGate("gate");
  EXPECT_NE(server().AwaitEvent("k", "finished"), 0);
  ExpectPromptUnary(other);
}

TEST_P(BlockingHandlerTest, WritesInVainAfterACancellation) {
  for (CallKind kind : {SERVER_STREAM, BIDI}) {
    const std::string key = absl::StrCat("k ", kind);
    Call call = StartAndAwait(
        kind, NewChannel(),
        MakeScript(key, {WaitForCancellation(), WritePattern(10, 1)}));
    call.context->TryCancel();
    EXPECT_NE(server().AwaitEvent(key, "finished"), 0);
    EXPECT_EQ(server().CountEvents(key, "written"), 0);
    EXPECT_THAT(call.call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
  }
}

TEST_P(BlockingHandlerTest, SeesItsDeadlinePass) {
  for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
    const std::string key = absl::StrCat("k ", kind);
    auto context = NewContext(MakeScript(key, {WaitForCancellation()}),
                              absl::Milliseconds(50));
    const int64_t start = MonotonicNanos();
    auto call =
        StartCall(StubFlavour::kCallback, kind, NewChannel(), context.get());
    EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::DEADLINE_EXCEEDED));
    const int64_t seen = server().AwaitEvent(key, "cancelled");
    ASSERT_NE(seen, 0);
    EXPECT_GE(absl::Nanoseconds(seen - start), absl::Milliseconds(45));
    EXPECT_LE(absl::Nanoseconds(seen - start),
              absl::Milliseconds(50) + kPromptly);
  }
}

GRPC_SHM_INSTANTIATE(BlockingHandlerTest, TransportsBetweenProcesses);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
