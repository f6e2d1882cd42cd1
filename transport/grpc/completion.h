// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_COMPLETION_H_
#define GRPC_SHM_TRANSPORT_GRPC_COMPLETION_H_

#include <grpc/grpc.h>
#include <grpcpp/completion_queue.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "transport/base/fork.h"

namespace grpc_shm {

// The callback completion queue on which all our operations complete, never
// destroyed.
//
// gRPC runs an inlineable tag of such a queue on the very thread that completes
// the operation, once it has released its own locks: no thread polls, no thread
// is woken. Tags that come due while another one runs on the same thread run
// after it, not inside it.
grpc_completion_queue* InlineQueue();
// The same as the C++ API names it.
grpc::CompletionQueue* WrappedInlineQueue();

// The tag of one kind of operation of a `T`: calls `kMethod(ok)`. Keeps its
// owner alive while the operation runs. One operation at a time.
template <typename T, void (T::*kMethod)(bool ok)>
class Completion : private grpc_completion_queue_functor {
 public:
  Completion() : grpc_completion_queue_functor() {
    functor_run = &Run;
    inlineable = 1;
  }
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  // Starts a batch of operations on `call`. A batch that can't be started (an
  // argument is illegal) completes at once with ok = false.
  void Start(std::shared_ptr<T> owner, grpc_call* call, const grpc_op* ops,
             size_t count) {
    owner_ = std::move(owner);
    if (grpc_call_start_batch(call, ops, count, tag(), nullptr) != GRPC_CALL_OK)
      Run(this, 0);
  }

  // For operations that are not batches of a call.
  grpc_completion_queue_functor* Arm(std::shared_ptr<T> owner) {
    owner_ = std::move(owner);
    return tag();
  }

 private:
  grpc_completion_queue_functor* tag() { return this; }

  static void Run(grpc_completion_queue_functor* self, int ok) {
    // Of the parent's: a lock on the way may be held for ever.
    if (IsForkedChild()) return;
    const std::shared_ptr<T> owner =
        std::move(static_cast<Completion*>(self)->owner_);
    (owner.get()->*kMethod)(ok != 0);
  }

  std::shared_ptr<T> owner_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_COMPLETION_H_
