// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <memory>
#include <utility>

#include "absl/synchronization/notification.h"
#include "tests/integration/byte_buffers.h"
#include "tests/integration/completion_pump.h"
#include "tests/integration/echo_implementation.h"
#include "tests/integration/echo_methods.h"
#include "tests/integration/script_reactor.h"

namespace grpc_shm {
namespace testing {
namespace {

const grpc::Status& UnknownMethod() {
  static const auto* status = new grpc::Status(grpc::StatusCode::UNIMPLEMENTED,
                                               "not a method of EchoService");
  return *status;
}

struct GenericCall {
  grpc::GenericServerContext context;
  grpc::GenericServerAsyncReaderWriter stream{&context};
  absl::Notification done;
};

class AsyncGenericEcho : public EchoImplementation {
 public:
  explicit AsyncGenericEcho(Observer* observer) : observer_(observer) {}
  ~AsyncGenericEcho() override { Stop(); }

  grpc::AsyncGenericService* generic_service() override { return &service_; }
  bool needs_completion_queue() const override { return true; }

  void Start(std::unique_ptr<grpc::ServerCompletionQueue> queue) override {
    server_queue_ = queue.get();
    pump_ = std::make_unique<CompletionPump>(std::move(queue));
    workers_ = std::make_unique<WorkerPool>();
    Accept();
  }

  void Stop() override {
    workers_.reset();
    pump_.reset();
  }

 private:
  void Accept() {
    auto call = std::make_shared<GenericCall>();
    void* done_tag = pump_->Then([this, call](bool) {
      if (call->context.IsCancelled()) {
        observer_->Note(ScriptKey(call->context), "cancelled");
      }
      call->done.Notify();
    });
    call->context.AsyncNotifyWhenDone(done_tag);
    service_.RequestCall(&call->context, &call->stream, server_queue_,
                         server_queue_, pump_->Then([=](bool ok) {
                           if (!ok) {  // the server shuts down
                             CompletionPump::Drop(done_tag);
                             return;
                           }
                           Accept();
                           workers_->Run([this, call] { Handle(*call); });
                         }));
  }

  void Handle(GenericCall& call) {
    ServerCall server_call;
    server_call.context = &call.context;
    server_call.wait_for_cancellation = [&call] {
      call.done.WaitForNotification();
    };
    server_call.send_initial_metadata = [this, &call] {
      PendingOp op;
      call.stream.SendInitialMetadata(pump_->Completing(&op));
      return op.Wait();
    };
    server_call.read = [this, &call](EchoRequest* into) {
      PendingOp op;
      grpc::ByteBuffer buffer;
      call.stream.Read(&buffer, pump_->Completing(&op));
      return op.Wait() && FromBuffer(std::move(buffer), into);
    };
    server_call.write = [this, &call](const EchoReply& reply) {
      PendingOp op;
      call.stream.Write(ToBuffer(reply), pump_->Completing(&op));
      return op.Wait();
    };
    PendingOp op;
    call.stream.Finish(KindOfMethod(call.context.method(), &server_call.kind)
                           ? RunScript(server_call, *observer_)
                           : UnknownMethod(),
                       pump_->Completing(&op));
    op.Wait();
  }

  Observer* const observer_;
  grpc::AsyncGenericService service_;
  grpc::ServerCompletionQueue* server_queue_ = nullptr;
  std::unique_ptr<CompletionPump> pump_;
  std::unique_ptr<WorkerPool> workers_;
};

class GenericReactor : public ScriptReactor<grpc::ServerGenericBidiReactor> {
 public:
  GenericReactor(CallKind kind, grpc::CallbackServerContext* context,
                 Observer* observer, WorkerPool* workers)
      : ScriptReactor(kind, context, observer) {
    call_.read = [this](EchoRequest* into) {
      grpc::ByteBuffer buffer;
      StartRead(&buffer);
      return read_.Wait() && FromBuffer(std::move(buffer), into);
    };
    call_.write = [this](const EchoReply& reply) {
      const grpc::ByteBuffer buffer = ToBuffer(reply);
      StartWrite(&buffer);
      return write_.Wait();
    };
    workers->Run([this] { RunAndFinish(); });
  }
};

class RefusingReactor : public grpc::ServerGenericBidiReactor {
 public:
  RefusingReactor() { Finish(UnknownMethod()); }
  void OnDone() override { delete this; }
};

class CallbackGenericEcho : public EchoImplementation,
                            public grpc::CallbackGenericService {
 public:
  explicit CallbackGenericEcho(Observer* observer) : observer_(observer) {}

  grpc::CallbackGenericService* callback_generic_service() override {
    return this;
  }

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    CallKind kind;
    if (!KindOfMethod(context->method(), &kind)) return new RefusingReactor;
    return new GenericReactor(kind, context, observer_, &workers_);
  }

 private:
  Observer* const observer_;
  WorkerPool workers_;
};

}  // namespace

std::unique_ptr<EchoImplementation> MakeAsyncGenericEcho(Observer* observer) {
  return std::make_unique<AsyncGenericEcho>(observer);
}

std::unique_ptr<EchoImplementation> MakeCallbackGenericEcho(
    Observer* observer) {
  return std::make_unique<CallbackGenericEcho>(observer);
}

}  // namespace testing
}  // namespace grpc_shm
