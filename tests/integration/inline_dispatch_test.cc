// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Handlers that run on the thread that has read the request: their bound, and
// what must not depend on whose thread it is.

#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/echo_implementation.h"
#include "tests/integration/local_server.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

class InlineLimitTest : public ::testing::Test {
 protected:
  static constexpr size_t kLimit = 2;

  InlineLimitTest()
      : echo_(MakeSyncEcho(&observer_)),
        server_({echo_->service()}, Options()),
        channel_(server_.NewChannel(Way::kInline)) {}

  static ListenerOptions Options() {
    ListenerOptions options;
    options.max_inline_handlers = kLimit;
    return options;
  }

  struct Call {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<ClientCall> call;
  };

  // A call whose handler waits for the gate of its name.
  Call Block(CallKind kind, const std::string& key) {
    Call call;
    call.context = NewContext(MakeScript(key, {HoldAtGate(key)}));
    call.call =
        StartCall(StubFlavour::kCallback, kind, channel_, call.context.get());
    EXPECT_EQ(observer_.Await(key, "started", 1, kPatience).count, 1);
    return call;
  }

  void Release(Call& call, const std::string& key) {
    observer_.OpenGate(key);
    EchoReply reply;
    while (call.call->Read(&reply)) {
    }
    EXPECT_THAT(call.call->Finish(), IsOk());
  }

  // A handler's place is free some time after its answer has left.
  bool WorksAgain() {
    const absl::Time patience = absl::Now() + kPatience;
    do {
      const grpc::Status status = CallUnary(channel_);
      if (status.ok()) return true;
      EXPECT_THAT(status, HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
    } while (absl::Now() < patience);
    return false;
  }

  Observer observer_;
  std::unique_ptr<EchoImplementation> echo_;
  LocalServer server_;
  ChannelPtr channel_;
};

TEST_F(InlineLimitTest, OneMoreIsRefused) {
  Call first = Block(UNARY, "first");
  Call second = Block(BIDI, "second");
  for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
    auto context = NewContext(MakeScript("refused"));
    auto call =
        StartCall(StubFlavour::kCallback, kind, channel_, context.get());
    const grpc::Status status = call->Finish();
    EXPECT_THAT(status, HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
    EXPECT_FALSE(status.error_message().empty());
  }
  EXPECT_EQ(
      observer_.Await("refused", "started", 0, absl::ZeroDuration()).count, 0);
  // The bound is that of handlers that run inline.
  EXPECT_THAT(CallUnary(server_.NewChannel(Way::kUniversal)), IsOk());
  EXPECT_THAT(CallUnary(server_.NewChannel(Way::kSocket)), IsOk());
  Release(first, "first");
  EXPECT_TRUE(WorksAgain());
  Release(second, "second");
}

TEST_F(InlineLimitTest, IsNotUsedUpByCallsThatAreOver) {
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(WorksAgain());
  for (int i = 0; i < 10; ++i) {
    const std::string key = "cancelled " + std::to_string(i);
    Call call = Block(UNARY, key);
    call.context->TryCancel();
    EXPECT_THAT(call.call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
    observer_.OpenGate(key);
    EXPECT_TRUE(WorksAgain());
  }
}

// A call of a handler that holds its place, though its client has given up.
TEST_F(InlineLimitTest, CountsHandlersThatNobodyWaitsFor) {
  Call first = Block(UNARY, "first");
  Call second = Block(UNARY, "second");
  first.context->TryCancel();
  EXPECT_THAT(first.call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
  EXPECT_THAT(CallUnary(channel_),
              HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
  observer_.OpenGate("first");
  EXPECT_TRUE(WorksAgain());
  Release(second, "second");
}

// Calls its own server until the request says that it is enough.
class RecursiveService : public EchoService::Service {
 public:
  ChannelPtr channel;

 private:
  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest* request,
                     EchoReply* reply) override {
    if (request->reply_bytes_size() == 0) {
      reply->set_payload(request->payload());
      return grpc::Status::OK;
    }
    EchoRequest next = *request;
    next.mutable_reply_bytes()->RemoveLast();
    const auto client = grpc::ClientContext::FromServerContext(*context);
    return EchoService::NewStub(channel)->Unary(client.get(), next, reply);
  }
};

TEST(InlineHandlerTest, MayCallItsOwnServer) {
  constexpr int kDepth = 20;
  RecursiveService service;
  LocalServer server({&service});
  for (bool share_a_link : {true, false}) {
    ChannelPtr channel = server.NewChannel(Way::kInline);
    service.channel = share_a_link ? channel : server.NewChannel(Way::kInline);
    EchoRequest request = PatternRequest(100, 1);
    for (int i = 0; i < kDepth; ++i) request.add_reply_bytes(0);
    const auto stub = EchoService::NewStub(channel);
    for (int i = 0; i < 5; ++i) {
      EchoReply reply;
      EXPECT_THAT(stub->Unary(NewContext().get(), request, &reply), IsOk());
      EXPECT_TRUE(IsPayload(reply.payload(), 100, 1));
    }
  }
}

// The thread that serves a link must not be needed by a handler that it runs.
TEST(InlineHandlerTest, MayCallItsOwnServerFromManyCallsAtOnce) {
  constexpr int kCallers = 30;
  RecursiveService service;
  LocalServer server({&service});
  ChannelPtr channel = server.NewChannel(Way::kInline);
  service.channel = channel;
  EchoRequest request = PatternRequest(100, 1);
  for (int i = 0; i < 3; ++i) request.add_reply_bytes(0);
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&] {
      EchoReply reply;
      EXPECT_THAT(EchoService::NewStub(channel)->Unary(NewContext().get(),
                                                       request, &reply),
                  IsOk());
      EXPECT_TRUE(IsPayload(reply.payload(), 100, 1));
    });
  }
  for (std::thread& caller : callers) caller.join();
}

// As with gRPC: a handler is waited for, whatever has become of its call.
TEST(InlineHandlerTest, OutlivesNoServer) {
  for (Way way : kAllWays) {
    SCOPED_TRACE(WayName(way));
    Observer observer;
    auto echo = MakeSyncEcho(&observer);
    LocalServer server({echo->service()});
    auto context = NewContext(MakeScript("k", {HoldAtGate("gate")}));
    auto call = StartCall(StubFlavour::kCallback, UNARY, server.NewChannel(way),
                          context.get());
    ASSERT_EQ(observer.Await("k", "started", 1, kPatience).count, 1);
    absl::Notification destroyed;
    std::thread destroyer([&] {
      server.Destroy();
      // Then, and not before, the handler has returned.
      EXPECT_EQ(observer.Await("k", "finished", 1, absl::ZeroDuration()).count,
                1);
      destroyed.Notify();
    });
    // Its client hears of the end although the handler goes on.
    EXPECT_THAT(call->Finish(),
                ::testing::AnyOf(HasCode(grpc::StatusCode::UNAVAILABLE),
                                 HasCode(grpc::StatusCode::CANCELLED)));
    EXPECT_FALSE(destroyed.HasBeenNotified());
    observer.OpenGate("gate");
    destroyer.join();
  }
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
