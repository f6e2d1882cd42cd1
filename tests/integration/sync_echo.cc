// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "absl/time/clock.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/echo_implementation.h"
#include "tests/integration/script_runner.h"

namespace grpc_shm {
namespace testing {
namespace {

ServerCall CallOf(CallKind kind, grpc::ServerContext* context) {
  ServerCall call;
  call.kind = kind;
  call.context = context;
  // A synchronous handler has no other way to learn of a cancellation while it
  // neither reads nor writes than to ask.
  call.wait_for_cancellation = [context] {
    while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
  };
  call.send_initial_metadata = [] { return false; };
  return call;
}

// Gives out the one request of a call that has no more.
std::function<bool(EchoRequest*)> ReadOnce(const EchoRequest* request) {
  return [request, left = true](EchoRequest* into) mutable {
    if (!left) return false;
    left = false;
    *into = *request;
    return true;
  };
}

template <class Stream>
std::function<bool()> SendInitialMetadata(Stream* stream) {
  return [stream, sent = false]() mutable {
    if (!sent) stream->SendInitialMetadata();
    sent = true;
    return true;
  };
}

class SyncEcho : public EchoService::Service, public EchoImplementation {
 public:
  explicit SyncEcho(Observer* observer) : observer_(observer) {}
  grpc::Service* service() override { return this; }

  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest* request,
                     EchoReply* reply) override {
    ServerCall call = CallOf(UNARY, context);
    call.read = ReadOnce(request);
    call.write = [reply](const EchoReply& from) {
      *reply = from;
      return true;
    };
    return Run(call);
  }

  grpc::Status ClientStream(grpc::ServerContext* context,
                            grpc::ServerReader<EchoRequest>* reader,
                            EchoReply* reply) override {
    ServerCall call = CallOf(CLIENT_STREAM, context);
    call.send_initial_metadata = SendInitialMetadata(reader);
    call.read = [reader](EchoRequest* into) { return reader->Read(into); };
    call.write = [reply](const EchoReply& from) {
      *reply = from;
      return true;
    };
    return Run(call);
  }

  grpc::Status ServerStream(grpc::ServerContext* context,
                            const EchoRequest* request,
                            grpc::ServerWriter<EchoReply>* writer) override {
    ServerCall call = CallOf(SERVER_STREAM, context);
    call.send_initial_metadata = SendInitialMetadata(writer);
    call.read = ReadOnce(request);
    call.write = [writer](const EchoReply& from) {
      return writer->Write(from);
    };
    return Run(call);
  }

  grpc::Status Bidi(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<EchoReply, EchoRequest>* stream) override {
    ServerCall call = CallOf(BIDI, context);
    call.send_initial_metadata = SendInitialMetadata(stream);
    call.read = [stream](EchoRequest* into) { return stream->Read(into); };
    call.write = [stream](const EchoReply& from) {
      return stream->Write(from);
    };
    return Run(call);
  }

 private:
  grpc::Status Run(const ServerCall& call) {
    ServerCall noted = call;
    noted.wait_for_cancellation = [this, &call] {
      call.wait_for_cancellation();
      observer_->Note(ScriptKey(*call.context), "cancelled");
    };
    return RunScript(noted, *observer_);
  }

  Observer* const observer_;
};

}  // namespace

std::unique_ptr<EchoImplementation> MakeSyncEcho(Observer* observer) {
  return std::make_unique<SyncEcho>(observer);
}

}  // namespace testing
}  // namespace grpc_shm
