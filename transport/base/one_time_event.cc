// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/base/one_time_event.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

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

bool OneTimeEvent::AwaitBeside(const std::atomic<uint32_t>* word,
                               uint32_t value) {
  uint32_t state = 0;
  if (!state_.compare_exchange_strong(state, kAwaited,
                                      std::memory_order_acq_rel,
                                      std::memory_order_acquire))
    return true;
  futex_waitv words[2] = {};
  words[0].val = kAwaited;
  words[0].uaddr = reinterpret_cast<uintptr_t>(&state_);
  words[0].flags = FUTEX_32 | FUTEX_PRIVATE_FLAG;
  words[1].val = value;
  words[1].uaddr = reinterpret_cast<uintptr_t>(word);
  words[1].flags = FUTEX_32;
  const long woken = syscall(SYS_futex_waitv, words, 2, 0, nullptr, 0);
  const bool interrupted = woken < 0 && errno == EINTR;
  // Who makes it happen from now on need not wake anybody.
  state = kAwaited;
  state_.compare_exchange_strong(state, 0, std::memory_order_acq_rel,
                                 std::memory_order_acquire);
  return !interrupted;
}

bool OneTimeEvent::CanAwaitBeside() {
  // For no words at all it fails with EINVAL, where there is such a call.
  static const bool can =
      syscall(SYS_futex_waitv, nullptr, 0, 0, nullptr, 0) < 0 &&
      errno == EINVAL;
  return can;
}

}  // namespace grpc_shm
