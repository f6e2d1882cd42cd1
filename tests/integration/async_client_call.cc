// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/client_call.h"
#include "tests/integration/completion_pump.h"
#include "tests/integration/echo.grpc.pb.h"

namespace grpc_shm {
namespace testing {
namespace {

// What the calls share: `Stream` is one of gRPC's asynchronous client streams.
template <class Stream>
class AsyncStreamCall : public ClientCall {
 public:
  explicit AsyncStreamCall(const ChannelPtr& channel)
      : stub_(EchoService::NewStub(channel)),
        pump_(std::make_unique<grpc::CompletionQueue>()) {}

  bool WaitForInitialMetadata() override {
    PendingOp op;
    stream_->ReadInitialMetadata(pump_.Completing(&op));
    return op.Wait();
  }

  grpc::Status Finish() override {
    PendingOp op;
    grpc::Status status;
    stream_->Finish(&status, pump_.Completing(&op));
    op.Wait();
    return status;
  }

 protected:
  void Start() {
    PendingOp op;
    stream_->StartCall(pump_.Completing(&op));
    op.Wait();
  }

  bool WriteMessage(const EchoRequest& request) {
    PendingOp op;
    stream_->Write(request, pump_.Completing(&op));
    return op.Wait();
  }

  bool HalfClose() {
    PendingOp op;
    stream_->WritesDone(pump_.Completing(&op));
    return op.Wait();
  }

  bool ReadMessage(EchoReply* reply) {
    PendingOp op;
    stream_->Read(reply, pump_.Completing(&op));
    return op.Wait();
  }

  grpc::CompletionQueue* queue() { return pump_.queue(); }

  std::unique_ptr<EchoService::Stub> stub_;
  std::unique_ptr<Stream> stream_;
  CompletionPump pump_;
};

class UnaryCall : public ClientCall {
 public:
  UnaryCall(const ChannelPtr& channel, grpc::ClientContext* context,
            const EchoRequest& request)
      : stub_(EchoService::NewStub(channel)),
        pump_(std::make_unique<grpc::CompletionQueue>()),
        reader_(stub_->AsyncUnary(context, request, pump_.queue())) {}

  bool WaitForInitialMetadata() override {
    PendingOp op;
    reader_->ReadInitialMetadata(pump_.Completing(&op));
    return op.Wait();
  }

  bool Read(EchoReply* reply) override {
    if (done_) return false;
    done_ = true;
    PendingOp op;
    reader_->Finish(reply, &status_, pump_.Completing(&op));
    op.Wait();
    return status_.ok();
  }

  grpc::Status Finish() override {
    EchoReply ignored;
    if (!done_) Read(&ignored);
    return status_;
  }

 private:
  std::unique_ptr<EchoService::Stub> stub_;
  CompletionPump pump_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<EchoReply>> reader_;
  bool done_ = false;
  grpc::Status status_;
};

class ClientStreamCall
    : public AsyncStreamCall<grpc::ClientAsyncWriter<EchoRequest>> {
 public:
  ClientStreamCall(const ChannelPtr& channel, grpc::ClientContext* context)
      : AsyncStreamCall(channel) {
    stream_ = stub_->PrepareAsyncClientStream(context, &reply_, queue());
    Start();
  }

  bool Write(const EchoRequest& request) override {
    return WriteMessage(request);
  }
  bool WritesDone() override { return HalfClose(); }

  bool Read(EchoReply* reply) override {
    if (done_) return false;
    done_ = true;
    status_ = AsyncStreamCall::Finish();
    *reply = reply_;
    return status_.ok();
  }

  grpc::Status Finish() override {
    EchoReply ignored;
    if (!done_) Read(&ignored);
    return status_;
  }

 private:
  EchoReply reply_;
  bool done_ = false;
  grpc::Status status_;
};

class ServerStreamCall
    : public AsyncStreamCall<grpc::ClientAsyncReader<EchoReply>> {
 public:
  ServerStreamCall(const ChannelPtr& channel, grpc::ClientContext* context,
                   const EchoRequest& request)
      : AsyncStreamCall(channel) {
    stream_ = stub_->PrepareAsyncServerStream(context, request, queue());
    Start();
  }

  bool Read(EchoReply* reply) override { return ReadMessage(reply); }
};

class BidiCall : public AsyncStreamCall<
                     grpc::ClientAsyncReaderWriter<EchoRequest, EchoReply>> {
 public:
  BidiCall(const ChannelPtr& channel, grpc::ClientContext* context)
      : AsyncStreamCall(channel) {
    stream_ = stub_->PrepareAsyncBidi(context, queue());
    Start();
  }

  bool Write(const EchoRequest& request) override {
    return WriteMessage(request);
  }
  bool WritesDone() override { return HalfClose(); }
  bool Read(EchoReply* reply) override { return ReadMessage(reply); }
};

}  // namespace

std::unique_ptr<ClientCall> StartAsyncCall(CallKind kind,
                                           const ChannelPtr& channel,
                                           grpc::ClientContext* context,
                                           const EchoRequest& request) {
  switch (kind) {
    case CLIENT_STREAM:
      return std::make_unique<ClientStreamCall>(channel, context);
    case SERVER_STREAM:
      return std::make_unique<ServerStreamCall>(channel, context, request);
    case BIDI:
      return std::make_unique<BidiCall>(channel, context);
    default:
      return std::make_unique<UnaryCall>(channel, context, request);
  }
}

}  // namespace testing
}  // namespace grpc_shm
