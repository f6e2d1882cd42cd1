// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A server that is destroyed with a call under way ends the call and goes, over
// whichever address the call came. Server and client share a process: it is the
// server's destructor that is under test.

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/unit/link/temporary_rendezvous.h"
#include "transport/channel.h"
#include "transport/server.h"

namespace grpc_shm {
namespace {

// Lets its call know that it runs, and holds it until it is cancelled.
class HeldCall : public grpc::ServerGenericBidiReactor {
 public:
  HeldCall() { StartSendInitialMetadata(); }
  void OnCancel() override { Finish(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }
};

class HoldingService : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext*) override {
    return new HeldCall;
  }
};

void* Tag(intptr_t number) { return reinterpret_cast<void*>(number); }

class ServerDestructionTest : public ::testing::TestWithParam<std::string> {};

TEST_P(ServerDestructionTest, EndsACallUnderWay) {
  testing::TemporaryRendezvous rendezvous;
  const std::string socket = "unix:" + rendezvous.Path("socket");
  const std::string address = GetParam() == "shm" ? "shm:held" : socket;
  HoldingService service;
  ServerBuilder builder;
  builder.Listen("shm:held");
  builder.AddListeningPort(socket, grpc::InsecureServerCredentials());
  builder.RegisterCallbackGenericService(&service);
  std::unique_ptr<Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);

  grpc::GenericStub stub(grpc_shm::CreateChannel(address));
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  const auto call = stub.PrepareCall(&context, "/any/Method", &queue);
  void* tag;
  bool ok;
  call->StartCall(Tag(1));
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  call->ReadInitialMetadata(Tag(2));
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);

  server.reset();  // must not wait for the call

  grpc::Status status;
  call->Finish(&status, Tag(3));
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_FALSE(status.ok());
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
}

INSTANTIATE_TEST_SUITE_P(Each, ServerDestructionTest,
                         ::testing::Values("shm", "unix"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace grpc_shm
