// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/client_call.h"
#include "tests/integration/echo.grpc.pb.h"

namespace grpc_shm {
namespace testing {
namespace {

// A synchronous unary call happens as a whole, in Read.
class UnaryCall : public ClientCall {
 public:
  UnaryCall(const ChannelPtr& channel, grpc::ClientContext* context,
            const EchoRequest& request)
      : stub_(EchoService::NewStub(channel)),
        context_(context),
        request_(request) {}

  bool Read(EchoReply* reply) override {
    if (done_) return false;
    done_ = true;
    status_ = stub_->Unary(context_, request_, reply);
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
  bool done_ = false;
  grpc::Status status_;
};

// Its reply is there when the writer has finished.
class ClientStreamCall : public ClientCall {
 public:
  ClientStreamCall(const ChannelPtr& channel, grpc::ClientContext* context)
      : stub_(EchoService::NewStub(channel)),
        writer_(stub_->ClientStream(context, &reply_)) {}

  bool WaitForInitialMetadata() override {
    writer_->WaitForInitialMetadata();
    return true;
  }
  bool Write(const EchoRequest& request) override {
    return writer_->Write(request);
  }
  bool WritesDone() override { return writer_->WritesDone(); }

  bool Read(EchoReply* reply) override {
    if (done_) return false;
    done_ = true;
    status_ = writer_->Finish();
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
  EchoReply reply_;
  std::unique_ptr<grpc::ClientWriter<EchoRequest>> writer_;
  bool done_ = false;
  grpc::Status status_;
};

class ServerStreamCall : public ClientCall {
 public:
  ServerStreamCall(const ChannelPtr& channel, grpc::ClientContext* context,
                   const EchoRequest& request)
      : stub_(EchoService::NewStub(channel)),
        reader_(stub_->ServerStream(context, request)) {}

  bool WaitForInitialMetadata() override {
    reader_->WaitForInitialMetadata();
    return true;
  }
  bool Read(EchoReply* reply) override { return reader_->Read(reply); }
  grpc::Status Finish() override { return reader_->Finish(); }

 private:
  std::unique_ptr<EchoService::Stub> stub_;
  std::unique_ptr<grpc::ClientReader<EchoReply>> reader_;
};

class BidiCall : public ClientCall {
 public:
  BidiCall(const ChannelPtr& channel, grpc::ClientContext* context)
      : stub_(EchoService::NewStub(channel)), stream_(stub_->Bidi(context)) {}

  bool WaitForInitialMetadata() override {
    stream_->WaitForInitialMetadata();
    return true;
  }
  bool Write(const EchoRequest& request) override {
    return stream_->Write(request);
  }
  bool WritesDone() override { return stream_->WritesDone(); }
  bool Read(EchoReply* reply) override { return stream_->Read(reply); }
  grpc::Status Finish() override { return stream_->Finish(); }

 private:
  std::unique_ptr<EchoService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<EchoRequest, EchoReply>> stream_;
};

}  // namespace

std::unique_ptr<ClientCall> StartSyncCall(CallKind kind,
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
