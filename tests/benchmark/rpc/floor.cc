// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/benchmark/rpc/closed_loop.h"
#include "tests/benchmark/rpc/echo.grpc.pb.h"
#include "tests/benchmark/rpc/generic_client.h"
#include "tests/benchmark/rpc/grpc_status.h"
#include "tests/benchmark/rpc/payload.h"
#include "tests/benchmark/rpc/scenarios.h"

namespace grpc_shm::bench {
namespace {

enum Tag : intptr_t { kAccepted = 1, kRead, kAnswered, kClientDone };
void* ToPointer(Tag tag) {
  return reinterpret_cast<void*>(static_cast<intptr_t>(tag));
}

// A server that accepts one call at a time and returns the bytes that it was
// sent. It does nothing by itself: Step() does.
class SteppedServer {
 public:
  SteppedServer() {
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(-1);
    builder.RegisterAsyncGenericService(&service_);
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
  }
  ~SteppedServer() {
    server_->Shutdown(gpr_inf_past(GPR_CLOCK_MONOTONIC));
    queue_->Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) {
    }
  }

  std::shared_ptr<grpc::Channel> Connect() {
    return server_->InProcessChannel(BenchmarkChannelArguments());
  }

  // Gets ready for the next call.
  void Accept() {
    call_ = std::make_unique<ServerCall>();
    service_.RequestCall(&call_->context, &call_->stream, queue_.get(),
                         queue_.get(), ToPointer(kAccepted));
  }

  // Does what can be done now; false when there was nothing.
  bool Step() {
    void* tag = nullptr;
    bool ok = false;
    if (queue_->AsyncNext(&tag, &ok, gpr_inf_past(GPR_CLOCK_MONOTONIC)) !=
        grpc::CompletionQueue::GOT_EVENT) {
      return false;
    }
    if (tag == ToPointer(kAccepted) && ok) {
      call_->stream.Read(&call_->message, ToPointer(kRead));
    } else if (tag == ToPointer(kRead) && ok) {
      call_->stream.WriteAndFinish(call_->message, grpc::WriteOptions(),
                                   grpc::Status::OK, ToPointer(kAnswered));
    }
    return true;
  }

 private:
  struct ServerCall {
    grpc::GenericServerContext context;
    grpc::GenericServerAsyncReaderWriter stream{&context};
    grpc::ByteBuffer message;
  };

  grpc::AsyncGenericService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<ServerCall> call_;
};

class FloorExchange : public Exchange {
 public:
  explicit FloorExchange(size_t bytes)
      : stub_(server_.Connect()), pattern_(bytes) {}
  ~FloorExchange() override {
    client_queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (client_queue_.Next(&tag, &ok)) {
    }
  }

  void Prepare(uint64_t sequence) override {
    while (server_.Step()) {
    }
    server_.Accept();
    pattern_.Write(sequence, request_.mutable_data());
  }

  absl::Status Run() override {
    grpc::ClientContext context;
    grpc::ByteBuffer reply;
    grpc::Status status;
    auto call = stub_.PrepareUnaryCall(&context, kUnaryMethod,
                                       ToBytes(request_), &client_queue_);
    call->StartCall();
    call->Finish(&reply, &status, ToPointer(kClientDone));
    while (!ClientDone()) server_.Step();
    return status.ok() ? FromBytes(&reply, &reply_) : ToAbslStatus(status);
  }

  absl::Status Verify(uint64_t sequence) override {
    return pattern_.Verify(sequence, reply_.data());
  }

 private:
  bool ClientDone() {
    void* tag = nullptr;
    bool ok = false;
    return client_queue_.AsyncNext(&tag, &ok,
                                   gpr_inf_past(GPR_CLOCK_MONOTONIC)) ==
           grpc::CompletionQueue::GOT_EVENT;
  }

  SteppedServer server_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue client_queue_;
  const PayloadPattern pattern_;
  Payload request_;
  Payload reply_;
};

absl::StatusOr<Measurement> RunFloor(const Cell& cell, absl::Duration pause) {
  std::vector<std::unique_ptr<Exchange>> exchanges;
  exchanges.push_back(std::make_unique<FloorExchange>(cell.bytes));
  return RunClosedLoop(cell, exchanges, pause);
}

}  // namespace

absl::StatusOr<Measurement> RunUnaryFloor(const Cell& cell) {
  return RunFloor(cell, absl::ZeroDuration());
}

absl::StatusOr<Measurement> RunUnarySparseFloor(const Cell& cell) {
  absl::StatusOr<Measurement> result = RunFloor(cell, kSparsePause);
  if (result.ok()) result->clear_per_s();  // It says how long the pauses are.
  return result;
}

}  // namespace grpc_shm::bench
