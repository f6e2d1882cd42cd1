// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_BASE_MONOTONIC_CLOCK_H_
#define GRPC_SHM_TRANSPORT_BASE_MONOTONIC_CLOCK_H_

#include <time.h>

#include <cstdint>

namespace grpc_shm {

// CLOCK_MONOTONIC in nanoseconds: what timers and bounded waits go by.
inline int64_t MonotonicNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_BASE_MONOTONIC_CLOCK_H_
