// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_CORE_CALLS_H_
#define GRPC_SHM_TRANSPORT_GRPC_CORE_CALLS_H_

#include <grpc/grpc.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "transport/base/mutex.h"

namespace grpc_shm {

// The call objects of gRPC's core that stand behind calls on the short path.
//
// The application's ClientContext, and operations, refer to such an object,
// though nothing happens on it. To make and destroy one takes 1.4 us, so they
// serve one call after the other. What gRPC takes from the object all the same
// is given to it in another way (see core_table.h):
//
// - memory for readers and operations. The core would give it back only with
//   the object;
// - the end of operations in the application's queue: a batch without
//   operations, which comes back from the queue that the object was made for.
//   All of these are made for one that nobody uses. So the batch is started on
//   an object that stands for the right queue.
//
// The objects have no deadline, parent or credentials, and belong to a channel
// without a transport (the one that gRPC makes for lack of credentials).
// Checked with 1.51.1.
//
// Threads: any. In a child made by fork() only IsOne and End may be called.
class CoreCalls {
 public:
  // Never destroyed: contexts may live as long as the process.
  static CoreCalls& Get();

  CoreCalls(const CoreCalls&) = delete;
  CoreCalls& operator=(const CoreCalls&) = delete;

  // One that nobody uses; a reference of it is the caller's.
  grpc_call* Take();

  // Gives the memory back that was allocated for `call`, and has it serve
  // again. Not if it is not `as_good_as_new`, since it was cancelled or ended
  // early: then its memory stays for a while, too. To be called when what it
  // was taken for is over, and that reference given back.
  void GiveBack(grpc_call* call, bool as_good_as_new);

  // Whether `call` is one of these. Does not take any lock.
  static bool IsOne(grpc_call* call);

  // Memory of `bytes` bytes until `call`, which is one of these, is given back.
  void* Allocate(grpc_call* call, size_t bytes);

  // Has `tag` come out of `queue`, at once.
  grpc_call_error End(grpc_completion_queue* queue, void* tag);

 private:
  // What was allocated for a call.
  class Memory {
   public:
    void* Allocate(size_t bytes);
    void Clear();

   private:
    std::unique_ptr<std::byte[]> first_;  // kept
    size_t used_ = 0;                     // of it
    std::vector<std::unique_ptr<std::byte[]>> others_;
  };

  class Carriers;

  CoreCalls();

  grpc_call* New(grpc_completion_queue* queue);

  grpc_channel* const channel_;
  grpc_completion_queue* const unused_queue_;

  Mutex mu_;
  absl::flat_hash_map<grpc_call*, Memory> memory_ ABSL_GUARDED_BY(mu_);
  std::vector<grpc_call*> free_ ABSL_GUARDED_BY(mu_);
  std::deque<Memory> retired_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_CORE_CALLS_H_
