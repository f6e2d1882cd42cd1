// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_RING_ATOMICS_H_
#define GRPC_SHM_TRANSPORT_RING_ATOMICS_H_

#include <atomic>

#include "transport/base/fault_point.h"

namespace grpc_shm {

// The atomics policy of the ring: the code that must be right under every
// interleaving (ring_cursor.h) is a template over it, so that the model checker
// runs the very code that production runs, with atomics of its own
// (tests/model/).
//
// A policy has a class template Atomic<T> with load, store and exchange that
// take a std::memory_order, and static functions Fence and Reach; the latter is
// for fault points.
struct StdAtomics {
  template <class T>
  using Atomic = std::atomic<T>;

  static void Fence(std::memory_order order) {
    // ThreadSanitizer does not model fences, and says so. Nothing it could
    // report depends on ours: they order flag against index, while the payload
    // is handed over by release and acquire on the index alone.
#if defined(__SANITIZE_THREAD__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
    std::atomic_thread_fence(order);
#if defined(__SANITIZE_THREAD__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
  }

  static void Reach(FaultPoint point) { ReachFaultPoint(point); }
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_RING_ATOMICS_H_
