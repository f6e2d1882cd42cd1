// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <memory>
#include <utility>

#include "absl/synchronization/notification.h"
#include "tests/integration/completion_pump.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/echo_implementation.h"
#include "tests/integration/script_runner.h"
#include "tests/integration/worker_pool.h"

namespace grpc_shm {
namespace testing {
namespace {

// Only these methods are asynchronous: Unimplemented stays with the answer that
// the generated service gives.
using Service = EchoService::WithAsyncMethod_Unary<
    EchoService::WithAsyncMethod_ClientStream<
        EchoService::WithAsyncMethod_ServerStream<
            EchoService::WithAsyncMethod_Bidi<EchoService::Service>>>>;

template <class Stream>
struct AsyncCall {
  grpc::ServerContext context;
  EchoRequest request;  // of calls with a single request
  EchoReply reply;      // of calls with a single reply
  Stream stream{&context};
  absl::Notification done;
};

class AsyncEcho : public EchoImplementation {
 public:
  explicit AsyncEcho(Observer* observer) : observer_(observer) {}
  ~AsyncEcho() override { Stop(); }

  grpc::Service* service() override { return &service_; }
  bool needs_completion_queue() const override { return true; }

  void Start(std::unique_ptr<grpc::ServerCompletionQueue> queue) override {
    server_queue_ = queue.get();
    pump_ = std::make_unique<CompletionPump>(std::move(queue));
    workers_ = std::make_unique<WorkerPool>();
    AcceptUnary();
    AcceptClientStream();
    AcceptServerStream();
    AcceptBidi();
  }

  void Stop() override {
    workers_.reset();  // handlers first: they wait for tags
    pump_.reset();
  }

 private:
  using UnaryCall = AsyncCall<grpc::ServerAsyncResponseWriter<EchoReply>>;
  using ClientStreamCall =
      AsyncCall<grpc::ServerAsyncReader<EchoReply, EchoRequest>>;
  using ServerStreamCall = AsyncCall<grpc::ServerAsyncWriter<EchoReply>>;
  using BidiCall =
      AsyncCall<grpc::ServerAsyncReaderWriter<EchoReply, EchoRequest>>;

  // Asks for the next call with `request(call, tag)`; runs `handle(call)` on a
  // thread of its own when it comes, and then `again()`.
  template <class Call>
  void Accept(std::function<void(Call&, void*)> request,
              std::function<void(Call&)> handle, std::function<void()> again) {
    auto call = std::make_shared<Call>();
    void* done_tag = pump_->Then([this, call](bool) {
      if (call->context.IsCancelled()) {
        observer_->Note(ScriptKey(call->context), "cancelled");
      }
      call->done.Notify();
    });
    call->context.AsyncNotifyWhenDone(done_tag);
    request(*call, pump_->Then([=](bool ok) {
      if (!ok) {  // the server shuts down
        CompletionPump::Drop(done_tag);
        return;
      }
      again();
      workers_->Run([call, handle] { handle(*call); });
    }));
  }

  template <class Call>
  ServerCall CallOf(CallKind kind, Call& call) {
    ServerCall result;
    result.kind = kind;
    result.context = &call.context;
    result.wait_for_cancellation = [&call] { call.done.WaitForNotification(); };
    result.send_initial_metadata = [this, &call] {
      PendingOp op;
      call.stream.SendInitialMetadata(pump_->Completing(&op));
      return op.Wait();
    };
    return result;
  }

  template <class Call>
  void ReadsOnce(ServerCall* result, Call& call) {
    result->read = [&call, left = true](EchoRequest* into) mutable {
      if (!left) return false;
      left = false;
      *into = call.request;
      return true;
    };
  }

  template <class Call>
  void ReadsStream(ServerCall* result, Call& call) {
    result->read = [this, &call](EchoRequest* into) {
      PendingOp op;
      call.stream.Read(into, pump_->Completing(&op));
      return op.Wait();
    };
  }

  template <class Call>
  void WritesOnce(ServerCall* result, Call& call) {
    result->write = [&call](const EchoReply& reply) {
      call.reply = reply;
      return true;
    };
  }

  template <class Call>
  void WritesStream(ServerCall* result, Call& call) {
    result->write = [this, &call](const EchoReply& reply) {
      PendingOp op;
      call.stream.Write(reply, pump_->Completing(&op));
      return op.Wait();
    };
  }

  template <class Call>
  void FinishWithReply(Call& call, const grpc::Status& status) {
    PendingOp op;
    if (status.ok()) {
      call.stream.Finish(call.reply, status, pump_->Completing(&op));
    } else {
      call.stream.FinishWithError(status, pump_->Completing(&op));
    }
    op.Wait();
  }

  template <class Call>
  void FinishStream(Call& call, const grpc::Status& status) {
    PendingOp op;
    call.stream.Finish(status, pump_->Completing(&op));
    op.Wait();
  }

  void AcceptUnary() {
    Accept<UnaryCall>(
        [this](UnaryCall& call, void* tag) {
          service_.RequestUnary(&call.context, &call.request, &call.stream,
                                server_queue_, server_queue_, tag);
        },
        [this](UnaryCall& call) {
          ServerCall server_call = CallOf(UNARY, call);
          ReadsOnce(&server_call, call);
          WritesOnce(&server_call, call);
          FinishWithReply(call, RunScript(server_call, *observer_));
        },
        [this] { AcceptUnary(); });
  }

  void AcceptClientStream() {
    Accept<ClientStreamCall>(
        [this](ClientStreamCall& call, void* tag) {
          service_.RequestClientStream(&call.context, &call.stream,
                                       server_queue_, server_queue_, tag);
        },
        [this](ClientStreamCall& call) {
          ServerCall server_call = CallOf(CLIENT_STREAM, call);
          ReadsStream(&server_call, call);
          WritesOnce(&server_call, call);
          FinishWithReply(call, RunScript(server_call, *observer_));
        },
        [this] { AcceptClientStream(); });
  }

  void AcceptServerStream() {
    Accept<ServerStreamCall>(
        [this](ServerStreamCall& call, void* tag) {
          service_.RequestServerStream(&call.context, &call.request,
                                       &call.stream, server_queue_,
                                       server_queue_, tag);
        },
        [this](ServerStreamCall& call) {
          ServerCall server_call = CallOf(SERVER_STREAM, call);
          ReadsOnce(&server_call, call);
          WritesStream(&server_call, call);
          FinishStream(call, RunScript(server_call, *observer_));
        },
        [this] { AcceptServerStream(); });
  }

  void AcceptBidi() {
    Accept<BidiCall>(
        [this](BidiCall& call, void* tag) {
          service_.RequestBidi(&call.context, &call.stream, server_queue_,
                               server_queue_, tag);
        },
        [this](BidiCall& call) {
          ServerCall server_call = CallOf(BIDI, call);
          ReadsStream(&server_call, call);
          WritesStream(&server_call, call);
          FinishStream(call, RunScript(server_call, *observer_));
        },
        [this] { AcceptBidi(); });
  }

  Observer* const observer_;
  Service service_;
  grpc::ServerCompletionQueue* server_queue_ = nullptr;
  std::unique_ptr<CompletionPump> pump_;
  std::unique_ptr<WorkerPool> workers_;
};

}  // namespace

std::unique_ptr<EchoImplementation> MakeAsyncEcho(Observer* observer) {
  return std::make_unique<AsyncEcho>(observer);
}

}  // namespace testing
}  // namespace grpc_shm
