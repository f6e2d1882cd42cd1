// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_INLINE_CALL_H_
#define GRPC_SHM_TRANSPORT_GRPC_INLINE_CALL_H_

#include <grpc/grpc.h>
#include <grpcpp/impl/call.h>
#include <grpcpp/impl/call_hook.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/interceptor.h>
#include <grpcpp/support/server_interceptor.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "proto/wire.pb.h"
#include "transport/base/mutex.h"
#include "transport/call/call.h"
#include "transport/call/session.h"
#include "transport/grpc/call_anchor.h"
#include "transport/grpc/grpc_access.h"
#include "transport/grpc/inline_host.h"
#include "transport/link/timeouts.h"

namespace grpc_shm {

// One call of a client at the other end of a link, to a synchronous method:
// runs its handler as a job of the session, on the thread that has read the
// request, and no call of gRPC's own. What the handler does to its call is
// caught where gRPC's generated code hands it to the core (CallHook), by the
// means by which gRPC shows operations to interceptors.
//
//   ring --> Call::Take        --> handler's request, or its Read()
//   ring <-- Call::SendMessage <-- handler's Write(), or its answer
//
// A handler that has to wait, for a message or for space, reads the ring itself
// as long as that is worth it, then sleeps.
//
// Threads: the handler's, and others that it lets use its stream;
// notifications come from any. Ownership: by its Call, and by the session while
// the handler waits for its turn and runs.
class InlineCall final : public CallHandler,
                         public Job,
                         public Expirable,
                         public std::enable_shared_from_this<InlineCall> {
 public:
  // `identity` goes to the service as the header field by which
  // PeerIdentity::From knows the client. `method` is one of the host's.
  InlineCall(std::shared_ptr<Call> call, wire::CallStart start,
             std::shared_ptr<const std::string> identity, InlineMethod* method,
             std::shared_ptr<InlineHost> host);
  ~InlineCall() override;

  // Starts to watch the deadline. Before any notification.
  void Begin();

  // The same for a handler that is not to be a job of the session, whatever is
  // heard of the call: RunHere is to follow, and runs it on its own thread once
  // there is what it is called with.
  void BeginHere();
  void RunHere();

  void OnReadable() override;
  void OnSent() override;
  void OnAborted(const absl::Status& status) override;
  void OnExpired() override;
  void Run() override;
  bool IsQuick() const override;

 private:
  class Context;
  class Hook;
  class Interceptor;
  class InterceptorFactory;
  friend class Interceptor;

  bool TakeRequest();
  void RunHandler();
  void* MakeRequest(grpc_call* call, grpc::Status* status, void** data);
  grpc_metadata_array MakeMetadata();

  void Perform(const TakenOperations& operations);
  bool Send(OutgoingMessage message);
  void ReturnMessage(size_t bytes);
  absl::optional<ReceivedMessage> Receive();
  void SendStatus(grpc::experimental::InterceptorBatchMethods* methods);
  void End(const absl::Status& status);
  void MarkCancelled() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Wait(absl::FunctionRef<bool()> done);

  const std::shared_ptr<Call> call_;
  const wire::CallStart start_;
  const std::shared_ptr<const std::string> identity_;
  InlineMethod* const method_;
  const std::shared_ptr<InlineHost> host_;
  int64_t deadline_ = 0;  // MonotonicNanos; 0: none
  Timeouts::Id timeout_{};

  // What the handler's waiting depends on. Released after what they tell of has
  // happened, acquired before it is looked at.
  std::atomic<bool> readable_{false};
  std::atomic<int> unsent_{0};
  // Nothing can be sent or taken any more. Sequentially consistent: a listener
  // that closes ends its calls before it looks for handlers that run, and a
  // call counts itself among those before it looks whether it has ended.
  std::atomic<bool> over_{false};

  Mutex mu_;
  CondVar changed_;  // what the handler's waiting depends on
  bool submitted_ ABSL_GUARDED_BY(mu_) = false;
  Context* context_ ABSL_GUARDED_BY(mu_) = nullptr;  // while the handler runs
  CallAnchor* anchor_ ABSL_GUARDED_BY(mu_) = nullptr;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;

  // Belong to whoever gets the request, then to the handler's thread.
  absl::optional<ReceivedMessage> request_;
  InlineHost::Turn* turn_ = nullptr;  // while the handler runs
  bool half_closed_ = false;
  bool sent_initial_metadata_ = false;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_INLINE_CALL_H_
