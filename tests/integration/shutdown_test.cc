// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "absl/strings/str_cat.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::AnyOf;

// An in-process channel ends with its server: Shutdown breaks every call at
// once, whatever the grace. So these run where there is a connection.
class ShutdownTest : public TransportTest {
 protected:
  // What a call gets that comes when the server has begun to shut down. gRPC's
  // server over a socket cancels one that it has received just then.
  static ::testing::Matcher<const grpc::Status&> IsRefused() {
    if (IsShm(GetParam())) {
      return HasCode(grpc::StatusCode::UNAVAILABLE);
    }
    return AnyOf(HasCode(grpc::StatusCode::UNAVAILABLE),
                 HasCode(grpc::StatusCode::CANCELLED));
  }

  struct Call {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<ClientCall> call;
  };

  // A call whose handler is running when this returns.
  Call StartAndAwait(CallKind kind, const ChannelPtr& channel,
                     const Script& script) {
    Call result;
    result.context = NewContext(script);
    result.call =
        StartCall(StubFlavour::kCallback, kind, channel, result.context.get());
    EXPECT_NE(server().AwaitEvent(script.key(), "started"), 0);
    return result;
  }

  // A shutdown with hardly any grace ends the call for its client at once.
  void ExpectShutdownEnds(const Call& call) {
    const int64_t start = MonotonicNanos();
    server().BeginShutdown(absl::Milliseconds(1));
    EchoReply reply;
    EXPECT_FALSE(call.call->Read(&reply));
    EXPECT_THAT(call.call->Finish(),
                AnyOf(HasCode(grpc::StatusCode::UNAVAILABLE),
                      HasCode(grpc::StatusCode::CANCELLED)));
    EXPECT_LE(absl::Nanoseconds(MonotonicNanos() - start), kPromptly);
  }
};

TEST_P(ShutdownTest, WithGraceLetsCallsFinish) {
  for (ServiceFlavour service : {SYNC, ASYNC, CALLBACK}) {
    SCOPED_TRACE(ServiceFlavour_Name(service));
    ServerConfig config;
    config.set_flavour(service);
    StartServer(config);
    ChannelPtr channel = NewChannel();
    Call unary = StartAndAwait(
        UNARY, channel,
        MakeScript("unary", {WaitForGate("gate"), WritePattern(100, 1)}));
    Call stream = StartAndAwait(BIDI, channel, MakeScript("stream"));
    server().BeginShutdown(kPatience);
    // The server is about to go, and still does what it has begun.
    EchoReply reply;
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(stream.call->Write(PatternRequest(10, i)));
      ASSERT_TRUE(stream.call->Read(&reply));
      EXPECT_TRUE(IsPayload(reply.payload(), 10, i));
    }
    EXPECT_EQ(server().CountEvents("server", "shutdown"), 0);
    EXPECT_TRUE(stream.call->WritesDone());
    EXPECT_FALSE(stream.call->Read(&reply));
    EXPECT_THAT(stream.call->Finish(), IsOk());
    server().OpenGate("gate");
    EXPECT_TRUE(unary.call->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 100, 1));
    EXPECT_THAT(unary.call->Finish(), IsOk());
    EXPECT_NE(server().AwaitEvent("server", "shutdown"), 0);
  }
}

TEST_P(ShutdownTest, WithoutADeadlineWaitsForCallsToo) {
  StartServer();
  Call call = StartAndAwait(
      UNARY, NewChannel(),
      MakeScript("k", {WaitForGate("gate"), WritePattern(100, 1)}));
  server().BeginShutdown();
  server().OpenGate("gate");
  EchoReply reply;
  EXPECT_TRUE(call.call->Read(&reply));
  EXPECT_THAT(call.call->Finish(), IsOk());
  EXPECT_NE(server().AwaitEvent("server", "shutdown"), 0);
}

// In a mailbox they wait for another server.
using RefusalTest = ShutdownTest;

TEST_P(RefusalTest, OfNewCallsWhileOldOnesFinish) {
  StartServer();
  ChannelPtr channel = NewChannel();
  Call old = StartAndAwait(
      UNARY, channel,
      MakeScript("old", {WaitForGate("gate"), WritePattern(100, 1)}));
  server().BeginShutdown(kPatience);
  // Shutdown has its own thread there: until it is under way a call may still
  // be served.
  grpc::Status status;
  do {
    status = CallUnary(channel, MakeScript("new"));
  } while (status.ok());
  EXPECT_THAT(status, IsRefused());
  const int64_t served = server().CountEvents("new", "started");
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(CallUnary(channel, MakeScript("new")), IsRefused());
  }
  EXPECT_EQ(server().CountEvents("new", "started"), served);
  server().OpenGate("gate");
  EchoReply reply;
  EXPECT_TRUE(old.call->Read(&reply));
  EXPECT_THAT(old.call->Finish(), IsOk());
  EXPECT_NE(server().AwaitEvent("server", "shutdown"), 0);
}

TEST_P(ShutdownTest, CancelsWhatIsNotDoneWhenTheGraceEnds) {
  for (ServiceFlavour service : {SYNC, ASYNC, CALLBACK}) {
    SCOPED_TRACE(ServiceFlavour_Name(service));
    ServerConfig config;
    config.set_flavour(service);
    StartServer(config);
    ChannelPtr channel = NewChannel();
    std::vector<Call> calls;
    for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
      calls.push_back(StartAndAwait(
          kind, channel,
          MakeScript(absl::StrCat("endless ", kind), {WaitForCancellation()})));
    }
    server().BeginShutdown(absl::Milliseconds(100));
    for (Call& call : calls) {
      EchoReply reply;
      EXPECT_FALSE(call.call->Read(&reply));
      EXPECT_THAT(call.call->Finish(),
                  AnyOf(HasCode(grpc::StatusCode::UNAVAILABLE),
                        HasCode(grpc::StatusCode::CANCELLED)));
    }
    EXPECT_NE(server().AwaitEvent("server", "shutdown"), 0);
    for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
      // An asynchronous handler may hear of it after the server is done.
      EXPECT_NE(
          server().AwaitEvent(absl::StrCat("endless ", kind), "cancelled"), 0);
    }
  }
}

TEST_P(ShutdownTest, WithoutGraceCancelsAtOnce) {
  StartServer();
  ChannelPtr channel = NewChannel();
  Call call = StartAndAwait(BIDI, channel,
                            MakeScript("endless", {WaitForCancellation()}));
  ExpectShutdownEnds(call);
  EXPECT_NE(server().AwaitEvent("server", "shutdown"), 0);
}

// A synchronous handler that does not ask whether its call is cancelled is
// waited for, however little grace there is; its client is not.
TEST_P(ShutdownTest, WaitsForAHandlerThatIgnoresIt) {
  StartServer();
  Call call = StartAndAwait(UNARY, NewChannel(),
                            MakeScript("stubborn", {HoldAtGate("gate")}));
  ExpectShutdownEnds(call);
  EXPECT_EQ(server().CountEvents("server", "shutdown"), 0);
  server().OpenGate("gate");
  EXPECT_NE(server().AwaitEvent("stubborn", "finished"), 0);
  EXPECT_NE(server().AwaitEvent("server", "shutdown"), 0);
}

// Over a socket gRPC may wait 20 s for a client that has no reason to poll its
// connection, and so does not say that it has seen the server's farewell.
std::vector<Transport> TransportsWithoutFarewell() {
  std::vector<Transport> transports = ShmTransports();
  transports.push_back(Transport::kMailbox);
  transports.push_back(Transport::kMailboxUniversal);
  transports.push_back(Transport::kInproc);
  return transports;
}

using IdleShutdownTest = TransportTest;

TEST_P(IdleShutdownTest, ReturnsAtOnceWhenNobodyCalls) {
  StartServer();
  std::vector<ChannelPtr> channels;
  for (int i = 0; i < 5; ++i) {
    channels.push_back(NewChannel());
    ASSERT_THAT(CallUnary(channels.back()), IsOk());
  }
  const int64_t start = MonotonicNanos();
  server().BeginShutdown(kPatience);
  const int64_t end = server().AwaitEvent("server", "shutdown");
  ASSERT_NE(end, 0);
  // It does not wait for its grace, nor for the idle channels to go.
  EXPECT_LE(absl::Nanoseconds(end - start), absl::Seconds(5));
}

GRPC_SHM_INSTANTIATE(ShutdownTest, TransportsBetweenProcesses);
GRPC_SHM_INSTANTIATE(RefusalTest, ConnectedTransports);
GRPC_SHM_INSTANTIATE(IdleShutdownTest, TransportsWithoutFarewell);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
