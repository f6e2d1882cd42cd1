// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_BASE_FORK_H_
#define GRPC_SHM_TRANSPORT_BASE_FORK_H_

#include <atomic>

namespace grpc_shm {

// What a child made by fork() has of its parent's links: nothing.
//
// The child has copies of the objects, without their threads, and shares the
// parent's descriptors and segments. So it must neither write to a ring nor
// change an epoll set, both of which are the parent's; and as long as it kept
// the parent's sockets and locks, nobody would notice the parent's death. So
// the child gives the descriptors up within fork(), and whatever the
// application then asks of the copies fails, or does nothing. (exec starts
// anew; posix_spawn and vfork do not come here.)
namespace fork_internal {
inline std::atomic<int> generation{0};
}  // namespace fork_internal

// How often this process and its ancestors forked after the first use, as far
// as it descends from that. What an object remembers from its making, to know
// whether it is the parent's.
inline int ForkGeneration() {
  return fork_internal::generation.load(std::memory_order_relaxed);
}

// Whether this process is a child of one that had used grpc-shm when it forked.
// Then the locks of this library may be held by threads that do not exist here:
// take none. Relaxed: set before fork() returns in the child, whose only thread
// asks.
inline bool IsForkedChild() { return ForkGeneration() > 0; }

// From here on IsForkedChild() tells.
void PrepareForFork();

// Takes the descriptor from children that are forked from now on: there its
// number stands for /dev/null. To be forgotten before it is closed. Threads:
// any, under any lock.
void KeepFromChildren(int fd);
void ForgetDescriptor(int fd);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_BASE_FORK_H_
