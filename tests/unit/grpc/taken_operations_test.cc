// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What gRPC makes of operations that an interceptor has taken over. The channel
// leads nowhere: nothing of a call gets as far as gRPC's core.

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "grpcpp/create_channel.h"
#include "grpcpp/support/client_interceptor.h"
#include "gtest/gtest.h"
#include "tests/integration/echo.grpc.pb.h"
#include "transport/grpc/core_table.h"
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

// How operations become complete.
enum class Way { kShownAgain, kShownOnce, kHere };

// What an interceptor does.
struct Part {
  Way way;
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
    const TakenOperations operations(methods, part_.way == Way::kShownAgain
                                                  ? ShownAgain::kYes
                                                  : ShownAgain::kNo);
    if (methods->QueryInterceptionHookPoint(Point::PRE_RECV_MESSAGE)) {
      if (next_ < part_.messages.size()) {
        operations.GiveMessage(ReplyOf(part_.messages[next_++]));
      } else {
        methods->FailHijackedRecvMessage();
      }
    }
    if (methods->QueryInterceptionHookPoint(Point::PRE_RECV_STATUS))
      *methods->GetRecvStatus() = grpc::Status::OK;
    if (part_.way == Way::kHere) {
      operations.CompleteHere();
    } else {
      operations.Complete();
    }
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

class TakenOperationsTest : public ::testing::TestWithParam<Way> {
 protected:
  void ExpectShown(int times) {
    EXPECT_EQ(shown_.to_be_done, times);
    EXPECT_EQ(shown_.complete, GetParam() == Way::kShownAgain ? times : 0);
  }

  Shown shown_;
};

INSTANTIATE_TEST_SUITE_P(, TakenOperationsTest,
                         ::testing::Values(Way::kShownAgain, Way::kShownOnce,
                                           Way::kHere),
                         [](const ::testing::TestParamInfo<Way>& info) {
                           switch (info.param) {
                             case Way::kShownAgain:
                               return "ShownAgain";
                             case Way::kShownOnce:
                               return "ShownOnce";
                             default:
                               return "Here";
                           }
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
  const auto stub = NewStub({Way::kShownAgain, {"hello"}, &shown});
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

// ---- What Pluck() takes from its thread

TEST(PluckShortcutTest, HoldsOneTag) {
  const int first = 0;
  const int second = 0;
  EXPECT_TRUE(CompleteForPluck(&first));
  EXPECT_FALSE(CompleteForPluck(&second));
  BeginForPluck(&second);  // another's
  EXPECT_FALSE(CompleteForPluck(&second));
  BeginForPluck(&first);
  EXPECT_TRUE(CompleteForPluck(&second));
  BeginForPluck(&second);
}

TEST(PluckShortcutTest, IsForItsTagOnly) {
  grpc_completion_queue* const queue =
      grpc_completion_queue_create_for_pluck(nullptr);
  const auto pluck = [queue](void* tag) {
    return grpc::g_core_codegen_interface->grpc_completion_queue_pluck(
        queue, tag, gpr_time_0(GPR_CLOCK_REALTIME), nullptr);
  };
  int first = 0;
  int second = 0;
  ASSERT_TRUE(CompleteForPluck(&first));
  EXPECT_EQ(pluck(&second).type, GRPC_QUEUE_TIMEOUT);
  const grpc_event event = pluck(&first);
  EXPECT_EQ(event.type, GRPC_OP_COMPLETE);
  EXPECT_EQ(event.success, 1);
  EXPECT_EQ(event.tag, &first);
  EXPECT_EQ(pluck(&first).type, GRPC_QUEUE_TIMEOUT);
  grpc_completion_queue_shutdown(queue);
  grpc_completion_queue_destroy(queue);
}

TEST(PluckShortcutTest, IsForItsThreadOnly) {
  const int tag = 0;
  ASSERT_TRUE(CompleteForPluck(&tag));
  std::thread([&tag] {
    const int other = 0;
    BeginForPluck(&tag);
    EXPECT_TRUE(CompleteForPluck(&other));
  }).join();
  const int second = 0;
  EXPECT_FALSE(CompleteForPluck(&second));
  BeginForPluck(&tag);
}

}  // namespace
}  // namespace grpc_shm
