// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Which operations of asynchronous applications are shown to an interceptor
// again. The calls lead nowhere: the test completes their operations.

#include "transport/grpc/completion_run.h"

#include <memory>
#include <utility>
#include <vector>

#include "grpcpp/create_channel.h"
#include "grpcpp/support/client_interceptor.h"
#include "gtest/gtest.h"
#include "tests/integration/echo.grpc.pb.h"
#include "transport/grpc/direct_channel.h"
#include "transport/grpc/grpc_access.h"

namespace grpc_shm {
namespace {

using testing::EchoReply;
using testing::EchoRequest;
using testing::EchoService;
using Methods = grpc::experimental::InterceptorBatchMethods;

// What interceptors have been shown, in this order: operations that nobody has
// completed yet, and how many were complete.
struct Shown {
  std::vector<TakenOperations> to_be_done;
  int complete = 0;
};

class Holding : public grpc::experimental::Interceptor {
 public:
  explicit Holding(Shown* shown) : shown_(*shown) {}

  void Intercept(Methods* methods) override {
    if (AreComplete(methods)) {
      ++shown_.complete;
      methods->Proceed();
      return;
    }
    shown_.to_be_done.emplace_back(methods, ShownAgain::kYes);
    *methods->GetRecvStatus() = grpc::Status::OK;
  }

 private:
  Shown& shown_;
};

class Factory : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit Factory(Shown* shown) : shown_(shown) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* /*info*/) override {
    return new Holding(shown_);
  }

 private:
  Shown* const shown_;
};

class CompletionRunTest : public ::testing::Test {
 protected:
  CompletionRunTest() {
    std::vector<
        std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>
        factories;
    factories.push_back(std::make_unique<Factory>(&shown_));
    stub_ = EchoService::NewStub(
        grpc::experimental::CreateCustomChannelWithInterceptors(
            "unix:/nowhere", grpc::InsecureChannelCredentials(),
            grpc::ChannelArguments(), std::move(factories)));
  }

  ~CompletionRunTest() override { channel_->Release(); }

  // A call with one set of operations.
  void Start(grpc::CompletionQueue* queue) {
    auto call = std::make_unique<AsyncCall>();
    call->reader = stub_->AsyncUnary(&call->context, EchoRequest(), queue);
    call->reader->Finish(&call->reply, &call->status, call.get());
    calls_.push_back(std::move(call));
  }

  // Takes so many from the queue, which there must be, in the order in which
  // they were started.
  void Take(grpc::CompletionQueue* queue, int calls) {
    for (int i = 0; i < calls; ++i) {
      void* tag = nullptr;
      bool ok = false;
      ASSERT_TRUE(queue->Next(&tag, &ok));
      EXPECT_TRUE(ok);
      EXPECT_TRUE(static_cast<AsyncCall*>(tag)->status.ok());
    }
  }

  void Complete(const TakenOperations& operations) {
    CompletionRun::Complete(channel_.get(), operations);
  }

  struct AsyncCall {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<EchoReply>> reader;
    EchoReply reply;
    grpc::Status status;
  };

  Shown shown_;
  std::unique_ptr<EchoService::Stub> stub_;
  std::vector<std::unique_ptr<AsyncCall>> calls_;
  const std::shared_ptr<ClientChannel> channel_ =
      DirectChannel::Create("shm:nowhere", ClientChannel::Options());
};

TEST_F(CompletionRunTest, ShowsTheLastAgain) {
  grpc::CompletionQueue queue;
  for (int i = 0; i < 3; ++i) Start(&queue);
  {
    const CompletionRun run;
    for (const TakenOperations& each : shown_.to_be_done) Complete(each);
    // The application has something to do from the first on.
    EXPECT_TRUE(channel_->HasUntaken());
  }
  EXPECT_EQ(channel_->CountUntaken(0), 1);
  Take(&queue, 2);
  EXPECT_EQ(shown_.complete, 0);
  Take(&queue, 1);
  EXPECT_EQ(shown_.complete, 1);
}

TEST_F(CompletionRunTest, ShowsTheLastOfEachQueueAgain) {
  grpc::CompletionQueue first;
  grpc::CompletionQueue second;
  Start(&first);
  Start(&first);
  Start(&second);
  {
    const CompletionRun run;
    for (const TakenOperations& each : shown_.to_be_done) Complete(each);
  }
  EXPECT_EQ(channel_->CountUntaken(0), 2);
  Take(&second, 1);
  EXPECT_EQ(shown_.complete, 1);
  Take(&first, 2);
  EXPECT_EQ(shown_.complete, 2);
}

TEST_F(CompletionRunTest, AllAreShownAgainWithoutOne) {
  grpc::CompletionQueue queue;
  for (int i = 0; i < 3; ++i) Start(&queue);
  for (const TakenOperations& each : shown_.to_be_done) Complete(each);
  EXPECT_EQ(channel_->CountUntaken(0), 3);
  Take(&queue, 3);
  EXPECT_EQ(shown_.complete, 3);
}

// Its end waits for operations under way, and for their second turn, only.
TEST_F(CompletionRunTest, AQueueComesToItsEnd) {
  grpc::CompletionQueue queue;
  for (int i = 0; i < 2; ++i) Start(&queue);
  queue.Shutdown();
  {
    const CompletionRun run;
    for (const TakenOperations& each : shown_.to_be_done) Complete(each);
  }
  Take(&queue, 2);
  void* tag = nullptr;
  bool ok = false;
  EXPECT_FALSE(queue.Next(&tag, &ok));
}

}  // namespace
}  // namespace grpc_shm
