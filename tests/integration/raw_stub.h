// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_RAW_STUB_H_
#define GRPC_SHM_TESTS_INTEGRATION_RAW_STUB_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "grpcpp/client_context.h"
#include "grpcpp/impl/channel_interface.h"
#include "grpcpp/impl/client_unary_call.h"
#include "grpcpp/impl/rpc_method.h"
#include "grpcpp/impl/serialization_traits.h"
#include "grpcpp/support/async_stream.h"
#include "grpcpp/support/async_unary_call.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/client_callback.h"
#include "grpcpp/support/slice.h"
#include "grpcpp/support/sync_stream.h"
#include "tests/integration/client_call.h"

namespace grpc_shm {
namespace testing {

// A message of no protobuf kind, as another serialization's code would have it:
// who takes it for one, calls a virtual function of what is a number.
struct RawMessage {
  static constexpr uint64_t kCanary = 0xdeadbeefcafef00d;

  uint64_t canary = kCanary;
  std::vector<uint8_t> bytes;
  uint64_t canary_behind = kCanary;

  bool intact() const { return canary == kCanary && canary_behind == kCanary; }
};

}  // namespace testing
}  // namespace grpc_shm

template <>
class grpc::SerializationTraits<grpc_shm::testing::RawMessage> {
 public:
  static Status Serialize(const grpc_shm::testing::RawMessage& message,
                          ByteBuffer* buffer, bool* own_buffer) {
    const Slice slice(message.bytes.data(), message.bytes.size());
    *buffer = ByteBuffer(&slice, 1);
    *own_buffer = true;
    return Status::OK;
  }
  static Status Deserialize(ByteBuffer* buffer,
                            grpc_shm::testing::RawMessage* message) {
    std::vector<Slice> slices;
    const Status status = buffer->Dump(&slices);
    message->bytes.clear();
    for (const Slice& slice : slices) {
      message->bytes.insert(message->bytes.end(), slice.begin(), slice.end());
    }
    buffer->Clear();
    return status;
  }
};

namespace grpc_shm {
namespace testing {

// What a code generator for such messages makes of a service with a method of
// each kind: like protobuf's stubs it registers its methods with the channel,
// under names that may be those of a protobuf service.
class RawStub {
 public:
  using Message = RawMessage;
  using Method = grpc::internal::RpcMethod;

  // `service`: "package.Service".
  RawStub(const ChannelPtr& channel, const std::string& service)
      : channel_(channel),
        unary_name_("/" + service + "/Unary"),
        client_stream_name_("/" + service + "/ClientStream"),
        server_stream_name_("/" + service + "/ServerStream"),
        bidi_name_("/" + service + "/Bidi"),
        unary_(unary_name_.c_str(), Method::NORMAL_RPC, channel),
        client_stream_(client_stream_name_.c_str(), Method::CLIENT_STREAMING,
                       channel),
        server_stream_(server_stream_name_.c_str(), Method::SERVER_STREAMING,
                       channel),
        bidi_(bidi_name_.c_str(), Method::BIDI_STREAMING, channel) {}
  RawStub(const RawStub&) = delete;
  RawStub& operator=(const RawStub&) = delete;

  grpc::Status Unary(grpc::ClientContext* context, const Message& request,
                     Message* reply) {
    return grpc::internal::BlockingUnaryCall(channel_.get(), unary_, context,
                                             request, reply);
  }
  void CallbackUnary(grpc::ClientContext* context, const Message* request,
                     Message* reply, std::function<void(grpc::Status)> done) {
    grpc::internal::CallbackUnaryCall(channel_.get(), unary_, context, request,
                                      reply, std::move(done));
  }
  void ReactorUnary(grpc::ClientContext* context, const Message* request,
                    Message* reply, grpc::ClientUnaryReactor* reactor) {
    grpc::internal::ClientCallbackUnaryFactory::Create(
        channel_.get(), unary_, context, request, reply, reactor);
  }
  std::unique_ptr<grpc::ClientAsyncResponseReader<Message>> AsyncUnary(
      grpc::ClientContext* context, const Message& request,
      grpc::CompletionQueue* queue) {
    std::unique_ptr<grpc::ClientAsyncResponseReader<Message>> reader(
        grpc::internal::ClientAsyncResponseReaderHelper::Create<Message>(
            channel_.get(), queue, unary_, context, request));
    reader->StartCall();
    return reader;
  }

  std::unique_ptr<grpc::ClientWriter<Message>> ClientStream(
      grpc::ClientContext* context, Message* reply) {
    return std::unique_ptr<grpc::ClientWriter<Message>>(
        grpc::internal::ClientWriterFactory<Message>::Create(
            channel_.get(), client_stream_, context, reply));
  }
  std::unique_ptr<grpc::ClientReader<Message>> ServerStream(
      grpc::ClientContext* context, const Message& request) {
    return std::unique_ptr<grpc::ClientReader<Message>>(
        grpc::internal::ClientReaderFactory<Message>::Create(
            channel_.get(), server_stream_, context, request));
  }
  std::unique_ptr<grpc::ClientReaderWriter<Message, Message>> Bidi(
      grpc::ClientContext* context) {
    return std::unique_ptr<grpc::ClientReaderWriter<Message, Message>>(
        grpc::internal::ClientReaderWriterFactory<Message, Message>::Create(
            channel_.get(), bidi_, context));
  }
  void CallbackBidi(grpc::ClientContext* context,
                    grpc::ClientBidiReactor<Message, Message>* reactor) {
    grpc::internal::ClientCallbackReaderWriterFactory<Message, Message>::Create(
        channel_.get(), bidi_, context, reactor);
  }

 private:
  const ChannelPtr channel_;
  const std::string unary_name_;
  const std::string client_stream_name_;
  const std::string server_stream_name_;
  const std::string bidi_name_;
  const Method unary_;
  const Method client_stream_;
  const Method server_stream_;
  const Method bidi_;
};

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_RAW_STUB_H_
