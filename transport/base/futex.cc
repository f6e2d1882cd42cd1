// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/base/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace grpc_shm {

// Not FUTEX_PRIVATE_FLAG: the sleepers are in several processes.
bool Futex::Wait(std::atomic<uint32_t>& word, uint32_t value,
                 int64_t deadline) {
  constexpr int64_t kNanosPerSecond = 1000000000;
  timespec until;
  until.tv_sec = static_cast<time_t>(deadline / kNanosPerSecond);
  until.tv_nsec = static_cast<long>(deadline % kNanosPerSecond);
  // The BITSET kind takes an absolute time of CLOCK_MONOTONIC.
  const long result = syscall(
      SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_BITSET, value,
      deadline == kNever ? nullptr : &until, nullptr, FUTEX_BITSET_MATCH_ANY);
  return result == 0 || errno != ETIMEDOUT;
}

int Futex::Wake(std::atomic<uint32_t>& word, int most) {
  const long woken = syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word),
                             FUTEX_WAKE, most, nullptr, nullptr, 0);
  return woken > 0 ? static_cast<int>(woken) : 0;
}

}  // namespace grpc_shm
