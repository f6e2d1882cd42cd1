// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_BASE_ONE_TIME_EVENT_H_
#define GRPC_SHM_TRANSPORT_BASE_ONE_TIME_EVENT_H_

#include <atomic>
#include <cstdint>

namespace grpc_shm {

// Something that happens once, which one thread of this process waits for. That
// thread may destroy it as soon as it knows: the one who tells touches it no
// more.
//
// Memory ordering: what was done before Happen() is visible to who sees
// HasHappened(), or returns from Await().
class OneTimeEvent {
 public:
  OneTimeEvent() = default;
  OneTimeEvent(const OneTimeEvent&) = delete;
  OneTimeEvent& operator=(const OneTimeEvent&) = delete;

  bool HasHappened() const {
    return state_.load(std::memory_order_acquire) == kHappened;
  }

  // Once, any thread.
  void Happen() { Wake(HappenQuietly()); }

  // The two halves of it: a thread that sleeps goes on sleeping, until it is
  // woken.
  using Sleeper = const void*;  // null: none
  Sleeper HappenQuietly();
  static void Wake(Sleeper sleeper);

  // Sleeps until it has happened.
  void Await();

  // Sleeps while it has not happened and `word`, in memory that processes
  // share, is `value`: until somebody wakes who sleeps at either (see futex.h).
  // False: a signal came. A `word` whose memory is gone counts as changed.
  bool AwaitBeside(const std::atomic<uint32_t>* word, uint32_t value);

  // Whether the system can do that: Linux 5.16.
  static bool CanAwaitBeside();

 private:
  static constexpr uint32_t kAwaited = 1;  // by a thread that sleeps
  static constexpr uint32_t kHappened = 2;

  std::atomic<uint32_t> state_{0};
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_BASE_ONE_TIME_EVENT_H_
