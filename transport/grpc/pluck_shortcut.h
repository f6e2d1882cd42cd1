// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_PLUCK_SHORTCUT_H_
#define GRPC_SHM_TRANSPORT_GRPC_PLUCK_SHORTCUT_H_

namespace grpc_shm {

// gRPC's synchronous calls start a set of operations, and then take it from a
// completion queue (CompletionQueue::Pluck) by way of the table of functions
// through which all of gRPC's headers call its core. An operation that is
// complete before that needs neither core nor queue: Pluck() takes it from its
// thread. For that the table is replaced, once, by one that is the same but for
// this; see pluck_shortcut.cc. Checked with 1.51.1.

// The calling thread is about to pluck `tag`, which is complete, successfully:
// the operations behind it say what failed. False if that has to go through the
// queue: another tag waits for the thread already, or somebody has replaced the
// table.
bool CompleteForPluck(const void* tag);

// The calling thread begins operations with this tag. Nothing that it completed
// before, and did not pluck, is taken for them.
void BeginForPluck(const void* tag);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_PLUCK_SHORTCUT_H_
