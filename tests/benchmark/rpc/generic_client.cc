// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/generic_client.h"

#include <grpcpp/generic/generic_stub.h>

#include "tests/benchmark/rpc/echo.grpc.pb.h"
#include "tests/benchmark/rpc/grpc_status.h"
#include "tests/benchmark/rpc/payload.h"

namespace grpc_shm::bench {
namespace {

// A completion queue with one operation on it at a time.
class OneAtATime {
 public:
  OneAtATime() = default;
  ~OneAtATime() {
    queue_.Shutdown();
    Wait();
  }
  OneAtATime(const OneAtATime&) = delete;
  OneAtATime& operator=(const OneAtATime&) = delete;

  grpc::CompletionQueue* queue() { return &queue_; }
  // The tag of every operation.
  void* tag() { return this; }
  // Waits for the operation to end; whether it succeeded.
  bool Wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

 private:
  grpc::CompletionQueue queue_;
};

class GenericUnaryExchange : public Exchange {
 public:
  GenericUnaryExchange(const std::shared_ptr<grpc::ChannelInterface>& channel,
                       size_t bytes)
      : stub_(channel), pattern_(bytes) {}

  void Prepare(uint64_t sequence) override {
    pattern_.Write(sequence, request_.mutable_data());
  }
  absl::Status Run() override {
    grpc::ClientContext context;
    grpc::ByteBuffer reply;
    grpc::Status status;
    const auto call = stub_.PrepareUnaryCall(
        &context, kUnaryMethod, ToBytes(request_), operation_.queue());
    call->StartCall();
    call->Finish(&reply, &status, operation_.tag());
    operation_.Wait();
    return status.ok() ? FromBytes(&reply, &reply_) : ToAbslStatus(status);
  }
  absl::Status Verify(uint64_t sequence) override {
    return pattern_.Verify(sequence, reply_.data());
  }

 private:
  OneAtATime operation_;
  grpc::GenericStub stub_;
  const PayloadPattern pattern_;
  Payload request_;
  Payload reply_;
};

class GenericPingPongExchange : public Exchange {
 public:
  GenericPingPongExchange(
      const std::shared_ptr<grpc::ChannelInterface>& channel, size_t bytes)
      : stub_(channel),
        stream_(
            stub_.PrepareCall(&context_, kPingPongMethod, operation_.queue())),
        pattern_(bytes) {
    stream_->StartCall(operation_.tag());
    operation_.Wait();  // If it fails, so does the first message.
  }

  void Prepare(uint64_t sequence) override {
    pattern_.Write(sequence, request_.mutable_data());
  }
  absl::Status Run() override {
    grpc::ByteBuffer reply;
    stream_->Write(ToBytes(request_), operation_.tag());
    if (operation_.Wait()) {
      stream_->Read(&reply, operation_.tag());
      if (operation_.Wait()) return FromBytes(&reply, &reply_);
    }
    const absl::Status status = End();
    return status.ok() ? absl::DataLossError("the stream ended early") : status;
  }
  absl::Status Verify(uint64_t sequence) override {
    return pattern_.Verify(sequence, reply_.data());
  }
  absl::Status Finish() override {
    stream_->WritesDone(operation_.tag());
    operation_.Wait();
    return End();
  }

 private:
  absl::Status End() {
    grpc::Status status;
    stream_->Finish(&status, operation_.tag());
    operation_.Wait();
    return ToAbslStatus(status);
  }

  OneAtATime operation_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  const std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  const PayloadPattern pattern_;
  Payload request_;
  Payload reply_;
};

}  // namespace

grpc::ByteBuffer ToBytes(const Payload& message) {
  grpc::ByteBuffer bytes;
  bool own_buffer = false;
  // This fails for messages above 2 GiB alone.
  grpc::SerializationTraits<Payload>::Serialize(message, &bytes, &own_buffer);
  return bytes;
}

absl::Status FromBytes(grpc::ByteBuffer* bytes, Payload* message) {
  return ToAbslStatus(
      grpc::SerializationTraits<Payload>::Deserialize(bytes, message));
}

std::unique_ptr<Exchange> MakeGenericUnaryExchange(
    const std::shared_ptr<grpc::ChannelInterface>& channel, size_t bytes) {
  return std::make_unique<GenericUnaryExchange>(channel, bytes);
}

std::unique_ptr<Exchange> MakeGenericPingPongExchange(
    const std::shared_ptr<grpc::ChannelInterface>& channel, size_t bytes) {
  return std::make_unique<GenericPingPongExchange>(channel, bytes);
}

}  // namespace grpc_shm::bench
