// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_BASE_MUTEX_H_
#define GRPC_SHM_TRANSPORT_BASE_MUTEX_H_

#include <pthread.h>

#include <algorithm>
#include <ctime>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "transport/base/monotonic_clock.h"

namespace grpc_shm {

// The system's mutex with Abseil's annotations, for what every call passes.
// Everything else uses absl::Mutex.
//
// It looks for the lock for some hundred nanoseconds before it sleeps: what is
// done under these locks takes no longer, and to sleep and be woken costs a
// hundred times that.
//
// Why: distributions build Abseil with its mutexes' deadlock detection (Debian
// does), which costs some 70 ns for each lock, more when threads compete for
// it. That was 1.7 us of a call of 7.7 us, and a third of the calls/s with
// several threads (docs/benchmarks.md says how that was measured).
class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  ~Mutex() { pthread_mutex_destroy(&mutex_); }

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { pthread_mutex_lock(&mutex_); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { pthread_mutex_unlock(&mutex_); }
  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) {
    return pthread_mutex_trylock(&mutex_) == 0;
  }

 private:
  friend class CondVar;

  pthread_mutex_t mutex_ = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
};

class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : mutex_(mutex) {
    mutex_->Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

// Waits for a change of what a Mutex guards. May also return without one.
class CondVar {
 public:
  CondVar() {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&changed_, &attributes);
    pthread_condattr_destroy(&attributes);
  }
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;
  ~CondVar() { pthread_cond_destroy(&changed_); }

  void Wait(Mutex* mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    pthread_cond_wait(&changed_, &mutex->mutex_);
  }

  // False: the deadline has passed.
  bool WaitWithDeadline(Mutex* mutex, absl::Time deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    // Long waits in pieces: the clock's range is limited.
    const timespec end = absl::ToTimespec(absl::Nanoseconds(MonotonicNanos()) +
                                          std::min(left, absl::Hours(1)));
    pthread_cond_timedwait(&changed_, &mutex->mutex_, &end);
    return true;
  }

  void Signal() { pthread_cond_broadcast(&changed_); }

 private:
  pthread_cond_t changed_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_BASE_MUTEX_H_
