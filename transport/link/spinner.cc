// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/spinner.h"

#include <sched.h>

#include <algorithm>

#include "transport/base/monotonic_clock.h"

namespace grpc_shm {
namespace {

constexpr uint32_t kMaxSkip = 64;
constexpr int kChecksPerYield = 16;

int AllowedSpinners() {
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0) return 0;
  return CPU_COUNT(&cpus) / 2;
}

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// How many threads of this process wait awake.
std::atomic<int> spinners{0};

}  // namespace

bool Spinner::WorthIt() {
  const uint32_t skip = to_skip_.load(std::memory_order_relaxed);
  if (skip == 0) return true;
  to_skip_.store(skip - 1, std::memory_order_relaxed);
  return false;
}

bool Spinner::Wait(absl::FunctionRef<bool()> happened) {
  if (happened()) return true;
  static const int allowed = AllowedSpinners();
  if (spinners.fetch_add(1, std::memory_order_relaxed) >= allowed) {
    spinners.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  const int64_t end = MonotonicNanos() + absl::ToInt64Nanoseconds(kBound);
  bool found = false;
  do {
    sched_yield();
    for (int i = 0; i < kChecksPerYield && !(found = happened()); ++i) Pause();
  } while (!found && MonotonicNanos() < end);
  spinners.fetch_sub(1, std::memory_order_relaxed);

  if (found) {
    next_skip_.store(1, std::memory_order_relaxed);
  } else {
    const uint32_t skip = next_skip_.load(std::memory_order_relaxed);
    to_skip_.store(skip, std::memory_order_relaxed);
    next_skip_.store(std::min(2 * skip, kMaxSkip), std::memory_order_relaxed);
  }
  return found;
}

}  // namespace grpc_shm
