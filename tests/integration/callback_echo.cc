// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/echo_implementation.h"
#include "tests/integration/script_reactor.h"

namespace grpc_shm {
namespace testing {
namespace {

using Service = EchoService::WithCallbackMethod_Unary<
    EchoService::WithCallbackMethod_ClientStream<
        EchoService::WithCallbackMethod_ServerStream<
            EchoService::WithCallbackMethod_Bidi<EchoService::Service>>>>;

// Reads the single request of a call; streams read with the reactor.
std::function<bool(EchoRequest*)> ReadOnce(const EchoRequest* request) {
  return [request, left = true](EchoRequest* into) mutable {
    if (!left) return false;
    left = false;
    *into = *request;
    return true;
  };
}

std::function<bool(const EchoReply&)> WriteOnce(EchoReply* reply) {
  return [reply](const EchoReply& from) {
    *reply = from;
    return true;
  };
}

class UnaryReactor : public ScriptReactor<grpc::ServerUnaryReactor> {
 public:
  UnaryReactor(grpc::CallbackServerContext* context, const EchoRequest* request,
               EchoReply* reply, Observer* observer, WorkerPool* workers)
      : ScriptReactor(UNARY, context, observer) {
    call_.read = ReadOnce(request);
    call_.write = WriteOnce(reply);
    workers->Run([this] { RunAndFinish(); });
  }
};

class ClientStreamReactor
    : public ScriptReactor<grpc::ServerReadReactor<EchoRequest>> {
 public:
  ClientStreamReactor(grpc::CallbackServerContext* context, EchoReply* reply,
                      Observer* observer, WorkerPool* workers)
      : ScriptReactor(CLIENT_STREAM, context, observer) {
    call_.read = [this](EchoRequest* into) {
      StartRead(into);
      return read_.Wait();
    };
    call_.write = WriteOnce(reply);
    workers->Run([this] { RunAndFinish(); });
  }
};

class ServerStreamReactor
    : public ScriptReactor<grpc::ServerWriteReactor<EchoReply>> {
 public:
  ServerStreamReactor(grpc::CallbackServerContext* context,
                      const EchoRequest* request, Observer* observer,
                      WorkerPool* workers)
      : ScriptReactor(SERVER_STREAM, context, observer) {
    call_.read = ReadOnce(request);
    call_.write = [this](const EchoReply& reply) {
      StartWrite(&reply);
      return write_.Wait();
    };
    workers->Run([this] { RunAndFinish(); });
  }
};

class BidiReactor
    : public ScriptReactor<grpc::ServerBidiReactor<EchoRequest, EchoReply>> {
 public:
  BidiReactor(grpc::CallbackServerContext* context, Observer* observer,
              WorkerPool* workers)
      : ScriptReactor(BIDI, context, observer) {
    call_.read = [this](EchoRequest* into) {
      StartRead(into);
      return read_.Wait();
    };
    call_.write = [this](const EchoReply& reply) {
      StartWrite(&reply);
      return write_.Wait();
    };
    workers->Run([this] { RunAndFinish(); });
  }
};

class CallbackEcho : public EchoImplementation, public Service {
 public:
  explicit CallbackEcho(Observer* observer) : observer_(observer) {}
  grpc::Service* service() override { return this; }

  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context,
                                  const EchoRequest* request,
                                  EchoReply* reply) override {
    return new UnaryReactor(context, request, reply, observer_, &workers_);
  }
  grpc::ServerReadReactor<EchoRequest>* ClientStream(
      grpc::CallbackServerContext* context, EchoReply* reply) override {
    return new ClientStreamReactor(context, reply, observer_, &workers_);
  }
  grpc::ServerWriteReactor<EchoReply>* ServerStream(
      grpc::CallbackServerContext* context,
      const EchoRequest* request) override {
    return new ServerStreamReactor(context, request, observer_, &workers_);
  }
  grpc::ServerBidiReactor<EchoRequest, EchoReply>* Bidi(
      grpc::CallbackServerContext* context) override {
    return new BidiReactor(context, observer_, &workers_);
  }

 private:
  Observer* const observer_;
  WorkerPool workers_;
};

}  // namespace

std::unique_ptr<EchoImplementation> MakeCallbackEcho(Observer* observer) {
  return std::make_unique<CallbackEcho>(observer);
}

}  // namespace testing
}  // namespace grpc_shm
