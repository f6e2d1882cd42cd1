// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_EVENTCOUNT_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_EVENTCOUNT_H_

#include <atomic>
#include <cstdint>

#include "transport/mailbox/mailbox_layout.h"

namespace grpc_shm {

// How processes sleep until something has changed in a mailbox, and how they
// are woken: nothing is lost, and who is awake is left alone. After the
// "eventcounts" of Reed and Kanodia (1979).
//
//   sleeper: key = sequence;  armings += 1;  look again. Nothing?
//            Sleep while sequence == key.
//   waker:   change;  a = armings. As it was when nobody slept (quiet)? Done.
//            sequence += 1;  wake one. Nobody slept? quiet = a.
//
// Each side writes its own word and then reads the other's, all of it
// sequentially consistent, so that one sees the other. A sleeper that is among
// the `a` has read the sequence before, so it sleeps already or won't: if then
// none could be woken, all of them are awake.
//
// There is no count of sleepers, which a killed one would leave too high: the
// next waker finds nobody, and is quiet from then on. A process that was killed
// after it had been woken took the wake-up with it: whoever repairs wakes all.
//
// Futex has `static bool Wait(Atomic<uint32_t>&, uint32_t key, deadline)` and
// `static int Wake(Atomic<uint32_t>&, int most)`, the number of those woken.
//
// Threads, processes: any.
template <class Atomics, class Futex>
class BasicEventcount {
 public:
  explicit BasicEventcount(BasicEventControl<Atomics>* control)
      : control_(control) {}

  // Before the last look. Then either Sleep or nothing: the next notification
  // may be in vain.
  uint32_t Arm() {
    const uint32_t key = control_->sequence.load(std::memory_order_seq_cst);
    control_->armings.fetch_add(1, std::memory_order_seq_cst);
    return key;
  }

  // Until somebody notifies, or for no reason, or until the deadline: false.
  template <class Deadline>
  bool Sleep(uint32_t key, Deadline deadline) {
    return Futex::Wait(control_->sequence, key, deadline);
  }

  // After a change that one sleeper is to look at, or all are. The change must
  // have been sequentially consistent.
  void NotifyOne() { Notify(1); }
  void NotifySleepers() { Notify(kEverybody); }

  // Wakes all, whether they seem to sleep or not.
  void NotifyAll() {
    control_->sequence.fetch_add(1, std::memory_order_seq_cst);
    Futex::Wake(control_->sequence, kEverybody);
  }

 private:
  static constexpr int kEverybody = 0x7fffffff;

  void Notify(int most) {
    const uint64_t armings = control_->armings.load(std::memory_order_seq_cst);
    // Relaxed: stored after the sequence was increased for so many armings; an
    // older value makes for a wake-up too many.
    if (armings == control_->quiet.load(std::memory_order_relaxed)) return;
    control_->sequence.fetch_add(1, std::memory_order_seq_cst);
    if (Futex::Wake(control_->sequence, most) == 0) {
      // Relaxed: nothing travels with it.
      control_->quiet.store(armings, std::memory_order_relaxed);
    }
  }

  BasicEventControl<Atomics>* const control_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_EVENTCOUNT_H_
