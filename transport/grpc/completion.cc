// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/completion.h"

namespace grpc_shm {

grpc_completion_queue* InlineQueue() {
  static grpc_completion_queue* const queue = [] {
    grpc_init();  // never undone, as the queue is never destroyed
    static grpc_completion_queue_functor on_shutdown = {
        [](grpc_completion_queue_functor*, int) {}, 1, 0, nullptr};
    return grpc_completion_queue_create_for_callback(&on_shutdown, nullptr);
  }();
  return queue;
}

grpc::CompletionQueue* WrappedInlineQueue() {
  static grpc::CompletionQueue* const queue =
      new grpc::CompletionQueue(InlineQueue());
  return queue;
}

}  // namespace grpc_shm
