// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/client_call.h"
#include "tests/integration/client_reactor.h"
#include "tests/integration/echo.grpc.pb.h"

namespace grpc_shm {
namespace testing {
namespace {

// A call whose stream reactor does everything from outside of its reactions:
// a hold keeps it open until Finish.
template <class Base>
class ReactorCall : public ClientCall {
 public:
  ReactorCall(const ChannelPtr& channel, grpc::ClientContext* context)
      : stub_(EchoService::NewStub(channel)), context_(context) {}

  // A test that has failed may leave its call unfinished.
  ~ReactorCall() override {
    if (finished_) return;
    context_->TryCancel();
    Finish();
  }

  bool WaitForInitialMetadata() override {
    return reactor_.WaitForInitialMetadata();
  }

  grpc::Status Finish() override {
    finished_ = true;
    reactor_.RemoveHold();
    return reactor_.WaitForEnd();
  }

 protected:
  void Start() {
    reactor_.AddHold();
    reactor_.StartCall();
  }

  bool WriteMessage(const EchoRequest& request) {
    reactor_.StartWrite(&request);
    return reactor_.WaitForWrite();
  }

  bool HalfClose() {
    reactor_.StartWritesDone();
    return reactor_.WaitForWritesDone();
  }

  bool ReadMessage(EchoReply* reply) {
    reactor_.StartRead(reply);
    return reactor_.WaitForRead();
  }

  std::unique_ptr<EchoService::Stub> stub_;
  WaitingReactor<Base> reactor_;

 private:
  grpc::ClientContext* const context_;
  bool finished_ = false;
};

class UnaryCall : public ClientCall {
 public:
  UnaryCall(const ChannelPtr& channel, grpc::ClientContext* context,
            const EchoRequest& request)
      : stub_(EchoService::NewStub(channel)),
        context_(context),
        request_(request) {
    stub_->async()->Unary(context, &request_, &reply_, &reactor_);
    reactor_.StartCall();
  }

  ~UnaryCall() override {
    if (done_) return;
    context_->TryCancel();
    Finish();
  }

  bool WaitForInitialMetadata() override {
    return reactor_.WaitForInitialMetadata();
  }

  bool Read(EchoReply* reply) override {
    if (done_) return false;
    done_ = true;
    status_ = reactor_.WaitForEnd();
    *reply = reply_;
    return status_.ok();
  }

  grpc::Status Finish() override {
    EchoReply ignored;
    if (!done_) Read(&ignored);
    return status_;
  }

 private:
  std::unique_ptr<EchoService::Stub> stub_;
  grpc::ClientContext* const context_;
  const EchoRequest request_;
  EchoReply reply_;
  WaitingReactor<grpc::ClientUnaryReactor> reactor_;
  bool done_ = false;
  grpc::Status status_;
};

class ClientStreamCall
    : public ReactorCall<grpc::ClientWriteReactor<EchoRequest>> {
 public:
  ClientStreamCall(const ChannelPtr& channel, grpc::ClientContext* context)
      : ReactorCall(channel, context) {
    stub_->async()->ClientStream(context, &reply_, &reactor_);
    Start();
  }

  bool Write(const EchoRequest& request) override {
    return WriteMessage(request);
  }
  bool WritesDone() override { return HalfClose(); }

  bool Read(EchoReply* reply) override {
    if (done_) return false;
    done_ = true;
    status_ = ReactorCall::Finish();
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
    : public ReactorCall<grpc::ClientReadReactor<EchoReply>> {
 public:
  ServerStreamCall(const ChannelPtr& channel, grpc::ClientContext* context,
                   const EchoRequest& request)
      : ReactorCall(channel, context), request_(request) {
    stub_->async()->ServerStream(context, &request_, &reactor_);
    Start();
  }

  bool Read(EchoReply* reply) override { return ReadMessage(reply); }

 private:
  const EchoRequest request_;
};

class BidiCall
    : public ReactorCall<grpc::ClientBidiReactor<EchoRequest, EchoReply>> {
 public:
  BidiCall(const ChannelPtr& channel, grpc::ClientContext* context)
      : ReactorCall(channel, context) {
    stub_->async()->Bidi(context, &reactor_);
    Start();
  }

  bool Write(const EchoRequest& request) override {
    return WriteMessage(request);
  }
  bool WritesDone() override { return HalfClose(); }
  bool Read(EchoReply* reply) override { return ReadMessage(reply); }
};

}  // namespace

std::unique_ptr<ClientCall> StartCallbackCall(CallKind kind,
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
