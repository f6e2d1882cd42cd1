// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_TIMEOUTS_H_
#define GRPC_SHM_TRANSPORT_LINK_TIMEOUTS_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "transport/base/mutex.h"
#include "transport/link/reactor.h"

namespace grpc_shm {

// What can reach its deadline.
class Expirable {
 public:
  // On a reactor thread, without locks. May take long: it holds up others that
  // are due for a millisecond at most.
  virtual void OnExpired() = 0;

 protected:
  ~Expirable() = default;
};

// Deadlines of which nearly none is ever reached, such as those of calls: made
// to add and to remove one for some hundred nanoseconds and no system call.
//
// One timer of the reactor stands for all of them. It is armed when the new
// deadline is earlier than the one that it is armed for, left alone when a
// deadline is removed, and looks for the earliest that is left when it fires.
// So calls that come at any rate, with the same time each, cost one wake-up in
// that time, and a process that falls idle is woken once more at most.
//
// Process-wide, made on first use and never destroyed, like the reactor.
//
// Threads: any. May be called from OnExpired and under locks of layers above;
// takes the reactor's inside of its own.
class Timeouts {
 public:
  // Names one deadline that was added; there are no two alike.
  using Id = std::pair<int64_t, uint64_t>;  // when, a serial number

  static Timeouts& Get();

  Timeouts(const Timeouts&) = delete;
  Timeouts& operator=(const Timeouts&) = delete;

  // Calls who->OnExpired(), if it still exists, at or soon after `when`
  // (MonotonicNanos; the largest number is never), once.
  Id Add(int64_t when, std::weak_ptr<Expirable> who);

  // Forgets a deadline. Does not wait for an OnExpired that is already running;
  // an `id` whose turn has come and gone is ignored.
  void Remove(Id id);

  // How often the timer was armed so far: what this class is there to keep low.
  int64_t times_armed() const;

 private:
  static constexpr int64_t kNotArmed = std::numeric_limits<int64_t>::max();

  Timeouts() = default;

  void Arm(int64_t when) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnTimer(int64_t number);
  bool TakeDue(std::weak_ptr<Expirable>* due)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  absl::btree_map<Id, std::weak_ptr<Expirable>> deadlines_ ABSL_GUARDED_BY(mu_);
  uint64_t last_serial_ ABSL_GUARDED_BY(mu_) = 0;
  // No later than the first deadline, or than a millisecond after it was due.
  int64_t armed_for_ ABSL_GUARDED_BY(mu_) = kNotArmed;
  Reactor::TimerId timer_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t times_armed_ ABSL_GUARDED_BY(mu_) = 0;  // also numbers the timers
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_TIMEOUTS_H_
