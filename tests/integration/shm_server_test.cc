// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What our builder, server and listener share with gRPC's or add to them,
// beyond what the bodies for all transports see.

#include <atomic>
#include <thread>

#include "absl/time/clock.h"
#include "grpcpp/server_builder.h"
#include "grpcpp/support/server_interceptor.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/transport_test.h"
#include "transport/channel.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {
namespace {

// Adds when its gate is open.
class GatedAddition : public AdditionService::Service {
 public:
  explicit GatedAddition(Observer* observer) : observer_(observer) {}

 private:
  grpc::Status Add(grpc::ServerContext* context, const AddRequest* request,
                   AddReply* reply) override {
    observer_->Note("addition", "started");
    observer_->AwaitGate("addition", [&] { return context->IsCancelled(); });
    reply->set_sum(request->left() + request->right());
    return grpc::Status::OK;
  }

  Observer* const observer_;
};

class CountingInterceptor : public grpc::experimental::Interceptor {
 public:
  explicit CountingInterceptor(std::atomic<int>* received)
      : received_(received) {}

  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::POST_RECV_MESSAGE)) {
      ++*received_;
    }
    methods->Proceed();
  }

 private:
  std::atomic<int>* const received_;
};

class CountingFactory
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CountingFactory(std::atomic<int>* received) : received_(received) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo*) override {
    return new CountingInterceptor(received_);
  }

 private:
  std::atomic<int>* const received_;
};

class ShmServerTest : public ::testing::Test {
 protected:
  ShmServerTest() : addition_(&observer_) {}

  grpc::Status Add(const ChannelPtr& channel) {
    AddReply reply;
    return AdditionService::NewStub(channel)->Add(NewContext().get(),
                                                  AddRequest(), &reply);
  }

  Observer observer_;
  GatedAddition addition_;
  const std::string address_ = NewAddress(Transport::kShm);
};

TEST_F(ShmServerTest, WaitReturnsWhenSomebodyShutsItDown) {
  ServerBuilder builder;
  builder.Listen(address_).RegisterService(&addition_);
  std::unique_ptr<Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  std::thread waiter([&] { server->Wait(); });
  observer_.OpenGate("addition");
  EXPECT_THAT(Add(CreateChannel(address_)), IsOk());
  server->Shutdown();
  waiter.join();
}

TEST_F(ShmServerTest, RunsTheInterceptorsOfItsBuilderOncePerCall) {
  std::atomic<int> received{0};
  std::vector<
      std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
      factories;
  factories.push_back(std::make_unique<CountingFactory>(&received));
  ServerBuilder builder;
  builder.Listen(address_).RegisterService(&addition_);
  builder.grpc_builder().experimental().SetInterceptorCreators(
      std::move(factories));
  std::unique_ptr<Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  observer_.OpenGate("addition");
  ChannelPtr channel = CreateChannel(address_);
  for (int i = 1; i <= 3; ++i) {
    EXPECT_THAT(Add(channel), IsOk());
    EXPECT_EQ(received, i);
  }
  server->Shutdown();
}

TEST_F(ShmServerTest, ListenerThatDrainsFinishesWhatItHas) {
  std::unique_ptr<grpc::Server> server =
      grpc::ServerBuilder().RegisterService(&addition_).BuildAndStart();
  auto listener = Listener::Attach(server.get(), address_);
  ASSERT_TRUE(listener.ok()) << listener.status();
  ChannelPtr channel = CreateChannel(address_);
  grpc::Status old_call;
  std::thread caller([&] { old_call = Add(channel); });
  ASSERT_EQ(observer_.Await("addition", "started", 1, kPatience).count, 1);
  (*listener)->Drain();
  // Neither who has a link nor who wants one gets in.
  EXPECT_THAT(Add(channel), HasCode(grpc::StatusCode::UNAVAILABLE));
  EXPECT_THAT(Add(CreateChannel(address_)),
              HasCode(grpc::StatusCode::UNAVAILABLE));
  // The name is free for a successor.
  auto successor = Listener::Attach(server.get(), address_);
  EXPECT_TRUE(successor.ok()) << successor.status();
  observer_.OpenGate("addition");
  caller.join();
  EXPECT_THAT(old_call, IsOk());
  (*listener)->Shutdown(absl::Now() + kPatience);
  EXPECT_THAT(Add(CreateChannel(address_)), IsOk());
  successor->reset();
  server->Shutdown();
}

TEST_F(ShmServerTest, ListenerThatIsDestroyedEndsItsCalls) {
  std::unique_ptr<grpc::Server> server =
      grpc::ServerBuilder().RegisterService(&addition_).BuildAndStart();
  auto listener = Listener::Attach(server.get(), address_);
  ASSERT_TRUE(listener.ok()) << listener.status();
  ChannelPtr channel = CreateChannel(address_);
  grpc::Status call;
  std::thread caller([&] { call = Add(channel); });
  ASSERT_EQ(observer_.Await("addition", "started", 1, kPatience).count, 1);
  listener->reset();
  caller.join();
  EXPECT_THAT(call, HasCode(grpc::StatusCode::UNAVAILABLE));
  server->Shutdown();
}

TEST_F(ShmServerTest, AttachedListenerHonoursTheServersMessageLimit) {
  ServerConfig config;
  config.set_attach_listeners(true);
  config.set_max_receive_message_bytes(100000);
  auto server = TestServer::Start(Transport::kShm, config);
  ASSERT_TRUE(server.ok()) << server.status();
  ChannelPtr channel = (*server)->NewChannel({});
  EXPECT_THAT(CallUnary(channel, NewContext().get(), PatternRequest(90000, 1)),
              IsOk());
  EXPECT_THAT(CallUnary(channel, NewContext().get(), PatternRequest(100001, 1)),
              HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_THAT(CallUnary(channel), IsOk());
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
