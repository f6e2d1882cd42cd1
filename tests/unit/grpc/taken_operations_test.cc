// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What gRPC makes of operations that an interceptor has taken over. The channel
// leads nowhere: nothing of a call gets as far as gRPC's core.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "grpcpp/create_channel.h"
#include "grpcpp/support/client_interceptor.h"
#include "gtest/gtest.h"
#include "tests/integration/echo.grpc.pb.h"
#include "transport/grpc/grpc_access.h"

namespace grpc_shm {
namespace {

using testing::EchoReply;
using testing::EchoRequest;
using testing::EchoService;
using Methods = grpc::experimental::InterceptorBatchMethods;
using Point = grpc::experimental::InterceptionHookPoints;

// What interceptors have been shown.
struct Shown {
  int to_be_done = 0;
  int complete = 0;
};

// What an interceptor does.
struct Part {
  ShownAgain shown_again;
  std::vector<std::string> messages;
  Shown* shown;
};

grpc_byte_buffer* ReplyOf(const std::string& payload) {
  EchoReply reply;
  reply.set_payload(payload);
  const std::string bytes = reply.SerializeAsString();
  grpc_slice slice = grpc_slice_from_copied_buffer(bytes.data(), bytes.size());
  grpc_byte_buffer* const buffer = grpc_raw_byte_buffer_create(&slice, 1);
  grpc_slice_unref(slice);
  return buffer;
}

// Answers with the messages of its part, and then OK.
class Answering : public grpc::experimental::Interceptor {
 public:
  explicit Answering(Part part) : part_(std::move(part)) {}

  void Intercept(Methods* methods) override {
    if (AreComplete(methods)) {
      ++part_.shown->complete;
      methods->Proceed();
      return;
    }
    ++part_.shown->to_be_done;
    const TakenOperations operations(methods, part_.shown_again);
    if (methods->QueryInterceptionHookPoint(Point::PRE_RECV_MESSAGE)) {
      if (next_ < part_.messages.size()) {
        operations.GiveMessage(ReplyOf(part_.messages[next_++]));
      } else {
        methods->FailHijackedRecvMessage();
      }
    }
    if (methods->QueryInterceptionHookPoint(Point::PRE_RECV_STATUS))
      *methods->GetRecvStatus() = grpc::Status::OK;
    operations.Complete();
  }

 private:
  const Part part_;
  size_t next_ = 0;
};

class Factory : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit Factory(Part part) : part_(std::move(part)) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* /*info*/) override {
    return new Answering(part_);
  }

 private:
  const Part part_;
};

std::unique_ptr<EchoService::Stub> NewStub(Part part) {
  std::vector<
      std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>
      factories;
  factories.push_back(std::make_unique<Factory>(std::move(part)));
  return EchoService::NewStub(
      grpc::experimental::CreateCustomChannelWithInterceptors(
          "unix:/nowhere", grpc::InsecureChannelCredentials(),
          grpc::ChannelArguments(), std::move(factories)));
}

class TakenOperationsTest : public ::testing::TestWithParam<ShownAgain> {
 protected:
  void ExpectShown(int times) {
    EXPECT_EQ(shown_.to_be_done, times);
    EXPECT_EQ(shown_.complete, GetParam() == ShownAgain::kYes ? times : 0);
  }

  Shown shown_;
};

INSTANTIATE_TEST_SUITE_P(, TakenOperationsTest,
                         ::testing::Values(ShownAgain::kYes, ShownAgain::kNo),
                         [](const ::testing::TestParamInfo<ShownAgain>& info) {
                           return info.param == ShownAgain::kYes ? "ShownAgain"
                                                                 : "ShownOnce";
                         });

TEST_P(TakenOperationsTest, AUnaryCallGetsItsAnswer) {
  const auto stub = NewStub({GetParam(), {"hello"}, &shown_});
  grpc::ClientContext context;
  EchoReply reply;
  const grpc::Status status = stub->Unary(&context, EchoRequest(), &reply);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(reply.payload(), "hello");
  ExpectShown(1);
}

TEST_P(TakenOperationsTest, AStreamGetsItsMessagesAndItsEnd) {
  const auto stub = NewStub({GetParam(), {"one", "two"}, &shown_});
  grpc::ClientContext context;
  const auto stream = stub->Bidi(&context);  // sends metadata
  EXPECT_TRUE(stream->Write(EchoRequest()));
  EXPECT_TRUE(stream->WritesDone());
  EchoReply reply;
  EXPECT_TRUE(stream->Read(&reply));
  EXPECT_EQ(reply.payload(), "one");
  EXPECT_TRUE(stream->Read(&reply));
  EXPECT_EQ(reply.payload(), "two");
  EXPECT_FALSE(stream->Read(&reply));
  EXPECT_TRUE(stream->Finish().ok());
  ExpectShown(7);
}

// The queue of an asynchronous application, which is shut down.
TEST(TakenOperationsQueueTest, ComesToItsEnd) {
  Shown shown;
  const auto stub = NewStub({ShownAgain::kYes, {"hello"}, &shown});
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  const auto call = stub->AsyncUnary(&context, EchoRequest(), &queue);
  EchoReply reply;
  grpc::Status status;
  call->Finish(&reply, &status, &status);
  queue.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(tag, &status);
  EXPECT_TRUE(ok);
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(reply.payload(), "hello");
  EXPECT_FALSE(queue.Next(&tag, &ok));
}

}  // namespace
}  // namespace grpc_shm
