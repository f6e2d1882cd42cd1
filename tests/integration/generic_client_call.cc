// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <utility>

#include "grpcpp/generic/generic_stub.h"
#include "tests/integration/byte_buffers.h"
#include "tests/integration/client_call.h"
#include "tests/integration/client_reactor.h"
#include "tests/integration/completion_pump.h"
#include "tests/integration/echo_methods.h"

namespace grpc_shm {
namespace testing {
namespace {

bool SendsOne(CallKind kind) { return kind == UNARY || kind == SERVER_STREAM; }

// A generic stub knows but one kind of call, the bidirectional stream: one
// request is a stream of one and a half-close.
class GenericCall : public ClientCall {
 public:
  GenericCall(CallKind kind, const ChannelPtr& channel,
              grpc::ClientContext* context, const EchoRequest& request)
      : stub_(channel),
        pump_(std::make_unique<grpc::CompletionQueue>()),
        stream_(stub_.PrepareCall(context, MethodOfKind(kind), pump_.queue())) {
    PendingOp op;
    stream_->StartCall(pump_.Completing(&op));
    if (!op.Wait() || !SendsOne(kind)) return;
    if (Write(request)) WritesDone();
  }

  bool WaitForInitialMetadata() override {
    PendingOp op;
    stream_->ReadInitialMetadata(pump_.Completing(&op));
    return op.Wait();
  }

  bool Write(const EchoRequest& request) override {
    PendingOp op;
    stream_->Write(ToBuffer(request), pump_.Completing(&op));
    return op.Wait();
  }

  bool WritesDone() override {
    PendingOp op;
    stream_->WritesDone(pump_.Completing(&op));
    return op.Wait();
  }

  bool Read(EchoReply* reply) override {
    PendingOp op;
    grpc::ByteBuffer buffer;
    stream_->Read(&buffer, pump_.Completing(&op));
    return op.Wait() && FromBuffer(std::move(buffer), reply);
  }

  grpc::Status Finish() override {
    PendingOp op;
    grpc::Status status;
    stream_->Finish(&status, pump_.Completing(&op));
    op.Wait();
    return status;
  }

 private:
  grpc::GenericStub stub_;
  CompletionPump pump_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
};

class CallbackGenericCall : public ClientCall {
 public:
  CallbackGenericCall(CallKind kind, const ChannelPtr& channel,
                      grpc::ClientContext* context, const EchoRequest& request)
      : stub_(channel), context_(context) {
    stub_.PrepareBidiStreamingCall(context, MethodOfKind(kind), {}, &reactor_);
    reactor_.AddHold();
    reactor_.StartCall();
    if (SendsOne(kind) && Write(request)) WritesDone();
  }

  // A test that has failed may leave its call unfinished.
  ~CallbackGenericCall() override {
    if (finished_) return;
    context_->TryCancel();
    Finish();
  }

  bool WaitForInitialMetadata() override {
    return reactor_.WaitForInitialMetadata();
  }

  bool Write(const EchoRequest& request) override {
    const grpc::ByteBuffer buffer = ToBuffer(request);
    reactor_.StartWrite(&buffer);
    return reactor_.WaitForWrite();
  }

  bool WritesDone() override {
    reactor_.StartWritesDone();
    return reactor_.WaitForWritesDone();
  }

  bool Read(EchoReply* reply) override {
    grpc::ByteBuffer buffer;
    reactor_.StartRead(&buffer);
    return reactor_.WaitForRead() && FromBuffer(std::move(buffer), reply);
  }

  grpc::Status Finish() override {
    finished_ = true;
    reactor_.RemoveHold();
    return reactor_.WaitForEnd();
  }

 private:
  grpc::GenericStub stub_;
  grpc::ClientContext* const context_;
  bool finished_ = false;
  WaitingReactor<grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>>
      reactor_;
};

}  // namespace

std::unique_ptr<ClientCall> StartGenericCall(CallKind kind,
                                             const ChannelPtr& channel,
                                             grpc::ClientContext* context,
                                             const EchoRequest& request) {
  return std::make_unique<GenericCall>(kind, channel, context, request);
}

std::unique_ptr<ClientCall> StartCallbackGenericCall(
    CallKind kind, const ChannelPtr& channel, grpc::ClientContext* context,
    const EchoRequest& request) {
  return std::make_unique<CallbackGenericCall>(kind, channel, context, request);
}

}  // namespace testing
}  // namespace grpc_shm
