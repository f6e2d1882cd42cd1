// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_BASE_FUTEX_H_
#define GRPC_SHM_TRANSPORT_BASE_FUTEX_H_

#include <atomic>
#include <cstdint>
#include <limits>

namespace grpc_shm {

// futex(2) on words in memory that processes share.
struct Futex {
  // MonotonicNanos that never come.
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // Sleeps while `word` is `value`, until a Wake, a signal, or `deadline`
  // (MonotonicNanos). False: the deadline has passed.
  static bool Wait(std::atomic<uint32_t>& word, uint32_t value,
                   int64_t deadline);

  // Wakes at most so many; how many it were.
  static int Wake(std::atomic<uint32_t>& word, int most);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_BASE_FUTEX_H_
