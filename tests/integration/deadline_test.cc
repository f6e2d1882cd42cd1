// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <cmath>
#include <limits>

#include "absl/time/clock.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

using DeadlineTest = TransportTest;

constexpr absl::Duration kShort = absl::Milliseconds(200);

TEST_P(DeadlineTest, EndsACallThatTheServerNeverAnswers) {
  StartServer();
  ChannelPtr channel = NewChannel();
  for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
    const absl::Time start = absl::Now();
    auto context =
        NewContext(MakeScript("never", {WaitForCancellation()}), kShort);
    auto call = StartCall(StubFlavour::kSync, kind, channel, context.get());
    EchoReply reply;
    EXPECT_FALSE(call->Read(&reply));
    EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::DEADLINE_EXCEEDED));
    EXPECT_GE(absl::Now() - start, kShort);
  }
}

TEST_P(DeadlineTest, IsSeenByTheServerAsACancellation) {
  for (ServiceFlavour service : {SYNC, ASYNC, CALLBACK}) {
    ServerConfig config;
    config.set_flavour(service);
    StartServer(config);
    ChannelPtr channel = NewChannel();
    for (CallKind kind : {UNARY, BIDI}) {
      const std::string key = kind == UNARY ? "unary" : "bidi";
      auto context =
          NewContext(MakeScript(key, {WaitForCancellation()}), kShort);
      auto call = StartCall(StubFlavour::kSync, kind, channel, context.get());
      EchoReply reply;
      EXPECT_FALSE(call->Read(&reply));
      EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::DEADLINE_EXCEEDED));
      const int64_t client_saw = MonotonicNanos();
      const int64_t server_saw = server().AwaitEvent(key, "cancelled");
      ASSERT_NE(server_saw, 0);
      EXPECT_LE(absl::Nanoseconds(server_saw - client_saw), kPromptly)
          << "service " << service << ", " << key;
    }
  }
}

// The client's own timer ends the call; that it also tells the server is
// another thing. A reader that is blocked in the middle of a stream returns.
TEST_P(DeadlineTest, EndsAStreamInTheMiddle) {
  StartServer();
  auto context = NewContext(
      MakeScript("k", {Read(1), WritePattern(10, 1), WaitForCancellation()}),
      kShort);
  auto call = StartCall(StubFlavour::kSync, BIDI, NewChannel(), context.get());
  ASSERT_TRUE(call->Write(PatternRequest(10, 1)));
  EchoReply reply;
  ASSERT_TRUE(call->Read(&reply));
  EXPECT_FALSE(call->Read(&reply));
  EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::DEADLINE_EXCEEDED));
}

TEST_P(DeadlineTest, IsVisibleToTheServer) {
  StartServer();
  ChannelPtr channel = NewChannel();
  for (absl::Duration timeout :
       {absl::Seconds(10), absl::Minutes(10), absl::Hours(10)}) {
    const absl::Time deadline = absl::Now() + timeout;
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    AddScript(MakeScript("k", {ReportContext()}), &context);
    EchoReply reply;
    ASSERT_THAT(CallUnary(channel, &context, {}, &reply), IsOk());
    const absl::Time seen =
        absl::FromUnixNanos(reply.context().deadline_unix_ns());
    // gRPC sends a relative time, rounded up by less than one percent (or to
    // the next hundred milliseconds).
    const absl::Duration tolerance =
        std::max(timeout / 100, absl::Milliseconds(200));
    EXPECT_LE(absl::AbsDuration(seen - deadline), tolerance) << timeout;
  }
}

TEST_P(DeadlineTest, IsInfiniteForTheServerIfTheClientHasNone) {
  StartServer();
  grpc::ClientContext context;
  AddScript(MakeScript("k", {ReportContext()}), &context);
  EchoReply reply;
  ASSERT_THAT(CallUnary(NewChannel(), &context, {}, &reply), IsOk());
  EXPECT_EQ(reply.context().deadline_unix_ns(),
            std::numeric_limits<int64_t>::max());
}

TEST_P(DeadlineTest, InThePastFailsTheCallWithoutAHandler) {
  StartServer();
  ChannelPtr channel = NewChannel();
  ASSERT_THAT(CallUnary(channel), IsOk());
  auto context = NewContext(MakeScript("late"), -absl::Seconds(1));
  EXPECT_THAT(CallUnary(channel, context.get()),
              HasCode(grpc::StatusCode::DEADLINE_EXCEEDED));
  ASSERT_THAT(CallUnary(channel), IsOk());
  EXPECT_EQ(server().CountEvents("late", "started"), 0);
}

TEST_P(DeadlineTest, ThatIsNotReachedDoesNothing) {
  StartServer();
  ChannelPtr channel = NewChannel();
  EXPECT_THAT(CallUnary(channel, NewContext(kPatience).get()), IsOk());
}

// Each call's deadline is its own.
TEST_P(DeadlineTest, OfOneCallLeavesTheOthersAlone) {
  StartServer();
  ChannelPtr channel = NewChannel();
  auto patient_context = NewContext(
      MakeScript("patient", {WaitForGate("gate"), WritePattern(10, 1)}));
  auto patient =
      StartCall(StubFlavour::kCallback, UNARY, channel, patient_context.get());
  ASSERT_NE(server().AwaitEvent("patient", "started"), 0);
  EXPECT_THAT(
      CallUnary(channel,
                NewContext(MakeScript("hasty", {WaitForCancellation()}), kShort)
                    .get()),
      HasCode(grpc::StatusCode::DEADLINE_EXCEEDED));
  server().OpenGate("gate");
  EchoReply reply;
  EXPECT_TRUE(patient->Read(&reply));
  EXPECT_THAT(patient->Finish(), IsOk());
}

GRPC_SHM_INSTANTIATE(DeadlineTest, AllTransports);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
