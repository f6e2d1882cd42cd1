// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// On one channel there may be stubs of every kind, some of which call the same
// method with another type of message. Each gets messages of its own type,
// whichever way a call goes: a wrong guess would be somebody else's memory.

#include <future>
#include <memory>
#include <string>
#include <thread>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/dynamic_message.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/generic/generic_stub.h"
#include "tests/integration/byte_buffers.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/echo_implementation.h"
#include "tests/integration/local_server.h"
#include "tests/integration/payload.h"
#include "tests/integration/raw_stub.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

constexpr char kEcho[] = "grpc_shm.testing.EchoService";
// In no descriptor pool.
constexpr char kForeign[] = "foreign.EchoService";

// Serves the methods that no other service has. Each message is returned.
class ForeignService : public grpc::CallbackGenericService {
  class Call : public grpc::ServerGenericBidiReactor {
   public:
    Call() { StartRead(&message_); }
    void OnReadDone(bool ok) override {
      if (ok) {
        StartWrite(&message_);
      } else {
        Finish(grpc::Status::OK);
      }
    }
    void OnWriteDone(bool ok) override {
      if (ok) {
        StartRead(&message_);
      } else {
        Finish(grpc::Status::CANCELLED);
      }
    }
    void OnDone() override { delete this; }

   private:
    grpc::ByteBuffer message_;
  };

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext*) override {
    return new Call;
  }
};

RawMessage ToRaw(const google::protobuf::MessageLite& message) {
  RawMessage raw;
  const std::string bytes = message.SerializeAsString();
  raw.bytes.assign(bytes.begin(), bytes.end());
  return raw;
}

// Every way to make a call that carries a payload there and back; each fails
// the test if it does not come back.
class Caller {
 public:
  explicit Caller(const ChannelPtr& channel)
      : channel_(channel),
        echo_(EchoService::NewStub(channel)),
        generic_(channel),
        templated_(channel),
        raw_echo_(channel, kEcho),
        raw_foreign_(channel, kForeign) {}

  // Calls with the stub number `i` of many.
  static constexpr int kStubs = 18;
  void Call(int i, uint32_t seed);

 private:
  static void Expect(const grpc::Status& status, const EchoReply& reply,
                     uint32_t seed) {
    EXPECT_THAT(status, IsOk());
    EXPECT_TRUE(IsPayload(reply.payload(), kBytes, seed)) << seed;
  }

  // The foreign service returns the request, whose payload has the same number
  // as the reply's.
  static void Expect(const grpc::Status& status, const RawMessage& reply,
                     uint32_t seed) {
    EXPECT_TRUE(reply.intact());
    EchoReply parsed;
    EXPECT_TRUE(parsed.ParseFromArray(reply.bytes.data(), reply.bytes.size()));
    Expect(status, parsed, seed);
  }

  // Waits for `count` operations of `queue`; returns whether the last one
  // worked.
  static bool Next(grpc::CompletionQueue* queue, int count = 1) {
    void* tag;
    bool ok = false;
    while (count-- > 0) EXPECT_TRUE(queue->Next(&tag, &ok));
    return ok;
  }

  void Generated(uint32_t seed);
  void GeneratedStream(uint32_t seed);
  void GeneratedReactor(uint32_t seed);
  void Generic(uint32_t seed);
  void TemplatedAsync(uint32_t seed);
  void TemplatedCallback(uint32_t seed);
  void TemplatedStream(uint32_t seed);
  void RawUnary(RawStub* stub, uint32_t seed);
  void RawAsyncUnary(RawStub* stub, uint32_t seed);
  void RawCallbackUnary(RawStub* stub, uint32_t seed);
  void RawReactorUnary(RawStub* stub, uint32_t seed);
  void RawBidi(RawStub* stub, uint32_t seed);
  void RawClientStream(uint32_t seed);
  void RawServerStream(uint32_t seed);
  void ByteBufferUnary(uint32_t seed);
  void Dynamic(uint32_t seed);

  static constexpr size_t kBytes = 300;

  const ChannelPtr channel_;
  const std::unique_ptr<EchoService::Stub> echo_;
  grpc::GenericStub generic_;
  grpc::TemplatedGenericStub<EchoRequest, EchoReply> templated_;
  RawStub raw_echo_;
  RawStub raw_foreign_;
};

class UnaryWaiter : public grpc::ClientUnaryReactor {
 public:
  grpc::Status Await() { return done_.get_future().get(); }

 private:
  void OnDone(const grpc::Status& status) override { done_.set_value(status); }

  std::promise<grpc::Status> done_;
};

void Caller::Generated(uint32_t seed) {
  EchoReply reply;
  const auto context = NewContext();
  Expect(echo_->Unary(context.get(), PatternRequest(kBytes, seed), &reply),
         reply, seed);
}

void Caller::GeneratedStream(uint32_t seed) {
  EchoReply reply;
  const auto context = NewContext();
  const auto stream = echo_->Bidi(context.get());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(stream->Write(PatternRequest(kBytes, seed)));
    EXPECT_TRUE(stream->Read(&reply));
  }
  EXPECT_TRUE(stream->WritesDone());
  Expect(stream->Finish(), reply, seed);
}

void Caller::GeneratedReactor(uint32_t seed) {
  EchoReply reply;
  const EchoRequest request = PatternRequest(kBytes, seed);
  const auto context = NewContext();
  UnaryWaiter waiter;
  echo_->async()->Unary(context.get(), &request, &reply, &waiter);
  waiter.StartCall();
  Expect(waiter.Await(), reply, seed);
}

void Caller::Generic(uint32_t seed) {
  const auto context = NewContext();
  grpc::CompletionQueue queue;
  const auto call = generic_.PrepareUnaryCall(
      context.get(), std::string("/") + kEcho + "/Unary",
      ToBuffer(PatternRequest(kBytes, seed)), &queue);
  call->StartCall();
  grpc::ByteBuffer buffer;
  grpc::Status status;
  call->Finish(&buffer, &status, nullptr);
  Next(&queue);
  EchoReply reply;
  EXPECT_TRUE(FromBuffer(buffer, &reply));
  Expect(status, reply, seed);
}

void Caller::TemplatedAsync(uint32_t seed) {
  const auto context = NewContext();
  grpc::CompletionQueue queue;
  const auto call = templated_.PrepareUnaryCall(
      context.get(), std::string("/") + kEcho + "/Unary",
      PatternRequest(kBytes, seed), &queue);
  call->StartCall();
  EchoReply reply;
  grpc::Status status;
  call->Finish(&reply, &status, nullptr);
  Next(&queue);
  Expect(status, reply, seed);
}

void Caller::TemplatedCallback(uint32_t seed) {
  const auto context = NewContext();
  const EchoRequest request = PatternRequest(kBytes, seed);
  EchoReply reply;
  std::promise<grpc::Status> done;
  templated_.UnaryCall(
      context.get(), std::string("/") + kEcho + "/Unary", {}, &request, &reply,
      [&](grpc::Status status) { done.set_value(std::move(status)); });
  const grpc::Status status = done.get_future().get();
  Expect(status, reply, seed);
}

void Caller::TemplatedStream(uint32_t seed) {
  const auto context = NewContext();
  grpc::CompletionQueue queue;
  const auto call = templated_.PrepareCall(
      context.get(), std::string("/") + kEcho + "/Bidi", &queue);
  call->StartCall(nullptr);
  Next(&queue);
  call->Write(PatternRequest(kBytes, seed), nullptr);
  EXPECT_TRUE(Next(&queue));
  EchoReply reply;
  call->Read(&reply, nullptr);
  EXPECT_TRUE(Next(&queue));
  call->WritesDone(nullptr);
  EXPECT_TRUE(Next(&queue));
  grpc::Status status;
  call->Finish(&status, nullptr);
  Next(&queue);
  Expect(status, reply, seed);
}

void Caller::RawUnary(RawStub* stub, uint32_t seed) {
  const auto context = NewContext();
  RawMessage reply;
  const grpc::Status status =
      stub->Unary(context.get(), ToRaw(PatternRequest(kBytes, seed)), &reply);
  Expect(status, reply, seed);
}

void Caller::RawAsyncUnary(RawStub* stub, uint32_t seed) {
  const auto context = NewContext();
  grpc::CompletionQueue queue;
  RawMessage reply;
  grpc::Status status;
  const auto call = stub->AsyncUnary(
      context.get(), ToRaw(PatternRequest(kBytes, seed)), &queue);
  if (seed % 2 == 0) {
    // A batch of its own, before it is known what is received.
    call->ReadInitialMetadata(nullptr);
    Next(&queue);
  }
  call->Finish(&reply, &status, nullptr);
  Next(&queue);
  Expect(status, reply, seed);
}

void Caller::RawCallbackUnary(RawStub* stub, uint32_t seed) {
  const auto context = NewContext();
  const RawMessage request = ToRaw(PatternRequest(kBytes, seed));
  RawMessage reply;
  std::promise<grpc::Status> done;
  stub->CallbackUnary(
      context.get(), &request, &reply,
      [&](grpc::Status status) { done.set_value(std::move(status)); });
  const grpc::Status status = done.get_future().get();
  Expect(status, reply, seed);
}

void Caller::RawReactorUnary(RawStub* stub, uint32_t seed) {
  const auto context = NewContext();
  const RawMessage request = ToRaw(PatternRequest(kBytes, seed));
  RawMessage reply;
  UnaryWaiter waiter;
  stub->ReactorUnary(context.get(), &request, &reply, &waiter);
  waiter.StartCall();
  const grpc::Status status = waiter.Await();
  Expect(status, reply, seed);
}

void Caller::RawBidi(RawStub* stub, uint32_t seed) {
  const auto context = NewContext();
  const auto stream = stub->Bidi(context.get());
  RawMessage reply;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(stream->Write(ToRaw(PatternRequest(kBytes, seed))));
    EXPECT_TRUE(stream->Read(&reply));
  }
  EXPECT_TRUE(stream->WritesDone());
  const grpc::Status status = stream->Finish();
  Expect(status, reply, seed);
}

void Caller::RawClientStream(uint32_t seed) {
  const auto context = NewContext();
  RawMessage reply;
  const auto writer = raw_echo_.ClientStream(context.get(), &reply);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(writer->Write(ToRaw(PatternRequest(kBytes, seed))));
  }
  EXPECT_TRUE(writer->WritesDone());
  EXPECT_THAT(writer->Finish(), IsOk());
  EXPECT_TRUE(reply.intact());
  EchoReply parsed;
  EXPECT_TRUE(parsed.ParseFromArray(reply.bytes.data(), reply.bytes.size()));
  EXPECT_EQ(parsed.summary().messages(), 3u);
  EXPECT_EQ(parsed.summary().bytes(), 3 * kBytes);
}

void Caller::RawServerStream(uint32_t) {
  const auto context = NewContext();
  EchoRequest request;
  for (int i = 0; i < 3; ++i) request.add_reply_bytes(kBytes);
  const auto reader = raw_echo_.ServerStream(context.get(), ToRaw(request));
  RawMessage reply;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(reader->Read(&reply));
    Expect(grpc::Status(), reply, i);
  }
  EXPECT_FALSE(reader->Read(&reply));
  EXPECT_TRUE(reply.intact());
  EXPECT_THAT(reader->Finish(), IsOk());
}

// As a proxy calls, for which GenericStub has no blocking call.
void Caller::ByteBufferUnary(uint32_t seed) {
  const auto context = NewContext();
  const std::string name = std::string("/") + kEcho + "/Unary";
  const grpc::internal::RpcMethod method(
      name.c_str(), grpc::internal::RpcMethod::NORMAL_RPC, channel_);
  grpc::ByteBuffer buffer;
  const grpc::Status status =
      grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer>(
          channel_.get(), method, context.get(),
          ToBuffer(PatternRequest(kBytes, seed)), &buffer);
  EchoReply reply;
  EXPECT_TRUE(FromBuffer(buffer, &reply));
  Expect(status, reply, seed);
}

// Protobuf, but no generated class.
void Caller::Dynamic(uint32_t seed) {
  const auto context = NewContext();
  const std::string name = std::string("/") + kEcho + "/Unary";
  const grpc::internal::RpcMethod method(
      name.c_str(), grpc::internal::RpcMethod::NORMAL_RPC, channel_);
  google::protobuf::DynamicMessageFactory factory;
  const std::unique_ptr<google::protobuf::Message> reply(
      factory.GetPrototype(EchoReply::descriptor())->New());
  const EchoRequest request = PatternRequest(kBytes, seed);
  const grpc::Status status =
      grpc::internal::BlockingUnaryCall<google::protobuf::Message,
                                        google::protobuf::Message>(
          channel_.get(), method, context.get(), request, reply.get());
  EchoReply parsed;
  EXPECT_TRUE(parsed.ParseFromString(reply->SerializeAsString()));
  Expect(status, parsed, seed);
}

void Caller::Call(int i, uint32_t seed) {
  SCOPED_TRACE(i);
  switch (i) {
    case 0:
      return Generated(seed);
    case 1:
      return RawUnary(&raw_echo_, seed);
    case 2:
      return RawUnary(&raw_foreign_, seed);
    case 3:
      return Generic(seed);
    case 4:
      return GeneratedStream(seed);
    case 5:
      return RawBidi(&raw_echo_, seed);
    case 6:
      return RawBidi(&raw_foreign_, seed);
    case 7:
      return GeneratedReactor(seed);
    case 8:
      return RawReactorUnary(&raw_echo_, seed);
    case 9:
      return RawReactorUnary(&raw_foreign_, seed);
    case 10:
      return RawAsyncUnary(&raw_echo_, seed);
    case 11:
      return RawCallbackUnary(&raw_echo_, seed);
    case 12:
      return TemplatedAsync(seed);
    case 13:
      return TemplatedCallback(seed);
    case 14:
      return TemplatedStream(seed);
    case 15:
      return RawClientStream(seed);
    case 16:
      return RawServerStream(seed);
    default:
      return seed % 2 == 0 ? ByteBufferUnary(seed) : Dynamic(seed);
  }
}

class TypedPathTest : public ::testing::TestWithParam<Way> {
 protected:
  TypedPathTest()
      : echo_(MakeSyncEcho(&observer_)),
        server_({echo_->service()}, ListenerOptions(),
                [this](ServerBuilder* builder) {
                  builder->RegisterCallbackGenericService(&foreign_);
                }) {}

  Observer observer_;
  std::unique_ptr<EchoImplementation> echo_;
  ForeignService foreign_;
  LocalServer server_;
};

TEST_P(TypedPathTest, EachStubGetsItsOwnMessages) {
  Caller caller(server_.NewChannel(GetParam()));
  for (uint32_t seed = 0; seed < 10; ++seed) {
    for (int i = 0; i < Caller::kStubs; ++i) caller.Call(i, seed);
  }
}

// Whoever comes first must not decide for the others.
TEST_P(TypedPathTest, EachStubMayBeTheFirst) {
  for (int first = 0; first < Caller::kStubs; ++first) {
    Caller caller(server_.NewChannel(GetParam()));
    for (int i = 0; i < Caller::kStubs; ++i) {
      caller.Call((first + i) % Caller::kStubs, i);
    }
  }
}

TEST_P(TypedPathTest, StubsMayCallAtTheSameTime) {
  Caller caller(server_.NewChannel(GetParam()));
  std::vector<std::thread> threads;
  for (int i = 0; i < Caller::kStubs; ++i) {
    threads.emplace_back([&caller, i] {
      for (uint32_t seed = 0; seed < 30; ++seed) caller.Call(i, seed);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

INSTANTIATE_TEST_SUITE_P(Ways, TypedPathTest, ::testing::ValuesIn(kAllWays),
                         [](const auto& info) { return WayName(info.param); });

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
