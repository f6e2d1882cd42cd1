// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What only our factory and builder do.

#include <fcntl.h>

#include <set>

#include "absl/time/clock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"
#include "transport/channel.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {
namespace {

class Addition : public AdditionService::Service {
  grpc::Status Add(grpc::ServerContext*, const AddRequest* request,
                   AddReply* reply) override {
    reply->set_sum(request->left() + request->right());
    return grpc::Status::OK;
  }
};

grpc::Status Add(const ChannelPtr& channel, int64_t left, int64_t right,
                 int64_t* sum) {
  AddRequest request;
  request.set_left(left);
  request.set_right(right);
  AddReply reply;
  const grpc::Status status = AdditionService::NewStub(channel)->Add(
      NewContext().get(), request, &reply);
  *sum = reply.sum();
  return status;
}

void ExpectAdds(const ChannelPtr& channel) {
  int64_t sum = 0;
  EXPECT_THAT(Add(channel, 40, 2, &sum), IsOk());
  EXPECT_EQ(sum, 42);
}

TEST(ShmChannel, HandsEveryOtherTargetToGrpc) {
  Addition addition;
  int port = 0;
  const std::string socket = NewAddress(Transport::kUnix);
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.AddListeningPort(socket, grpc::InsecureServerCredentials());
  builder.RegisterService(&addition);
  auto server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  // By number: a bare system knows no "localhost".
  const std::string tcp = "127.0.0.1:" + std::to_string(port);
  for (const std::string& target : {socket, tcp, "dns:///" + tcp,
                                    "ipv4:127.0.0.1:" + std::to_string(port)}) {
    SCOPED_TRACE(target);
    ExpectAdds(
        grpc_shm::CreateChannel(target, grpc::InsecureChannelCredentials()));
  }
  server->Shutdown();
}

TEST(ShmChannel, MayLeadToItsOwnProcess) {
  Addition addition;
  const std::string address = NewAddress(Transport::kShm);
  ServerBuilder builder;
  builder.Listen(address).RegisterService(&addition);
  auto server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  ExpectAdds(CreateChannel(address));
  server->Shutdown();
}

// A program that a client or a server starts must not inherit a link: it would
// keep it alive after its owner's death.
TEST(ShmChannel, ClosesItsDescriptorsOnExec) {
  const auto descriptors = [] {
    std::set<int> open;
    for (int fd = 0; fd < 1024; ++fd) {
      if (fcntl(fd, F_GETFD) >= 0) open.insert(fd);
    }
    return open;
  };
  Addition addition;
  const std::set<int> before = descriptors();
  const std::string address = NewAddress(Transport::kShm);
  ServerBuilder builder;
  builder.Listen(address).RegisterService(&addition);
  auto server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  ChannelPtr channel = CreateChannel(address);
  ExpectAdds(channel);
  int ours = 0;
  for (int fd : descriptors()) {
    if (before.count(fd) > 0) continue;
    ++ours;
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC) << fd;
  }
  // At the very least each side's end of the control socket.
  EXPECT_GE(ours, 2);
  server->Shutdown();
}

TEST(ShmServer, ListensOnAnOrdinarySocketToo) {
  Addition addition;
  const std::string address = NewAddress(Transport::kShm);
  const std::string socket = NewAddress(Transport::kUnix);
  ServerBuilder builder;
  builder.Listen(address)
      .AddListeningPort(socket, grpc::InsecureServerCredentials())
      .RegisterService(&addition);
  auto server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  ExpectAdds(CreateChannel(address));
  ExpectAdds(grpc::CreateChannel(socket, grpc::InsecureChannelCredentials()));
  ExpectAdds(server->InProcessChannel({}));
  server->Shutdown();
}

TEST(ShmServer, ListensOnSeveralNames) {
  Addition addition;
  const std::string first = NewAddress(Transport::kShm);
  const std::string second = NewAddress(Transport::kShm);
  ServerBuilder builder;
  builder.Listen(first).Listen(second).RegisterService(&addition);
  auto server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  ExpectAdds(CreateChannel(first));
  ExpectAdds(CreateChannel(second));
  server->Shutdown();
}

TEST(ShmServer, FreesItsNameWhenItIsDestroyed) {
  Addition addition;
  const std::string address = NewAddress(Transport::kShm);
  for (int i = 0; i < 5; ++i) {
    ServerBuilder builder;
    builder.Listen(address).RegisterService(&addition);
    absl::Status error;
    auto server = builder.BuildAndStart(&error);
    ASSERT_NE(server, nullptr) << error;
    ExpectAdds(CreateChannel(address));
  }
}

TEST(ShmListener, ServesAServerThatSomebodyElseBuilt) {
  Addition addition;
  grpc::ServerBuilder builder;
  builder.RegisterService(&addition);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const std::string address = NewAddress(Transport::kShm);
  auto listener = Listener::Attach(server.get(), address);
  ASSERT_TRUE(listener.ok()) << listener.status();
  ChannelPtr channel = CreateChannel(address);
  ExpectAdds(channel);
  (*listener)->Shutdown(absl::Now());
  // The server goes on without it.
  ExpectAdds(server->InProcessChannel({}));
  int64_t sum;
  EXPECT_THAT(Add(channel, 1, 1, &sum), HasCode(grpc::StatusCode::UNAVAILABLE));
  server->Shutdown();
}

TEST(ShmListener, MayBeAttachedMoreThanOnceAndAgain) {
  Addition addition;
  grpc::ServerBuilder builder;
  builder.RegisterService(&addition);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const std::string first = NewAddress(Transport::kShm);
  const std::string second = NewAddress(Transport::kShm);
  auto one = Listener::Attach(server.get(), first);
  ASSERT_TRUE(one.ok()) << one.status();
  auto two = Listener::Attach(server.get(), second);
  ASSERT_TRUE(two.ok()) << two.status();
  ExpectAdds(CreateChannel(first));
  one->reset();
  ExpectAdds(CreateChannel(second));
  one = Listener::Attach(server.get(), first);
  ASSERT_TRUE(one.ok()) << one.status();
  ExpectAdds(CreateChannel(first));
  one->reset();
  two->reset();
  server->Shutdown();
}

TEST(ShmListener, InAnotherProcessServesStreamsOfAPlainServer) {
  ServerConfig config;
  config.set_attach_listeners(true);
  auto server = TestServer::Start(Transport::kShm, config);
  ASSERT_TRUE(server.ok()) << server.status();
  ChannelPtr channel = (*server)->NewChannel({});
  auto context = NewContext();
  auto call = StartCall(StubFlavour::kSync, BIDI, channel, context.get());
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(call->Write(PatternRequest(1000, i)));
    EchoReply reply;
    ASSERT_TRUE(call->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 1000, i));
  }
  EXPECT_TRUE(call->WritesDone());
  EXPECT_THAT(call->Finish(), IsOk());
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
