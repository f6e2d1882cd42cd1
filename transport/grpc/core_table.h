// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_CORE_TABLE_H_
#define GRPC_SHM_TRANSPORT_GRPC_CORE_TABLE_H_

#include <grpc/grpc.h>

namespace grpc_shm {

// gRPC's headers call its core through a table of functions. It is replaced,
// once, by one that is the same but for what is said here; see core_table.cc.
// Checked with 1.51.1.

// Whether it is, and nobody has replaced it by another one since.
bool IsCoreTableInPlace();

// Plucking: synchronous calls start a set of operations, and then take it from
// a completion queue (CompletionQueue::Pluck). An operation that is complete
// before that needs neither core nor queue: Pluck() takes it from its thread.

// The calling thread is about to pluck `tag`, which is complete, successfully:
// the operations behind it say what failed. False if that has to go through the
// queue: another tag waits for the thread already, or somebody has replaced the
// table.
bool CompleteForPluck(const void* tag);

// The calling thread begins operations with this tag. Nothing that it completed
// before, and did not pluck, is taken for them.
void BeginForPluck(const void* tag);

// What the core has for a call on the short path; see CoreCalls. While this
// lives, the batch without operations that this thread starts to have `tag`
// come out of `queue` does so whatever queue its call was made for.
class EndingScope {
 public:
  EndingScope(const void* tag, grpc_completion_queue* queue);
  ~EndingScope();
  EndingScope(const EndingScope&) = delete;
  EndingScope& operator=(const EndingScope&) = delete;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_CORE_TABLE_H_
