// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/base/one_time_event.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace grpc_shm {
namespace {

long Futex(const void* word, int operation, uint32_t value) {
  return syscall(SYS_futex, word, operation, value, nullptr, nullptr, 0);
}

}  // namespace

OneTimeEvent::Sleeper OneTimeEvent::HappenQuietly() {
  const void* const word = &state_;
  const bool sleeps =
      state_.exchange(kHappened, std::memory_order_acq_rel) == kAwaited;
  return sleeps ? word : nullptr;
}

void OneTimeEvent::Wake(Sleeper sleeper) {
  // The event may be gone by now. Its address is not looked at, and to wake in
  // vain whoever sleeps there next is harmless.
  if (sleeper != nullptr) Futex(sleeper, FUTEX_WAKE_PRIVATE, 1);
}

void OneTimeEvent::Await() {
  uint32_t expected = 0;
  state_.compare_exchange_strong(expected, kAwaited, std::memory_order_acq_rel,
                                 std::memory_order_acquire);
  while (!HasHappened()) Futex(&state_, FUTEX_WAIT_PRIVATE, kAwaited);
}

}  // namespace grpc_shm
