// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Tells ThreadSanitizer about the synchronisation that installed Abseil does.
//
// ThreadSanitizer sees the atomic operations of code that was compiled for it,
// and Debian's Abseil was not: two threads that take turns under an absl::Mutex
// look to it like a data race. With an Abseil built from source the library
// itself would make the annotations below. Instead, this file defines the same
// functions once more, in the program, where the dynamic linker finds them
// before the library's, for our own calls as well as for gRPC's. Each announces
// what it is about to do and calls the library's own.
//
// Linked in by --config=tsan alone; checked with Abseil 20220623. The
// annotations are the documented ones of <sanitizer/tsan_interface.h>.
// Everything between a pre_ and its post_ annotation is invisible to
// ThreadSanitizer, thus also the conditions of LockWhen and Await, which any
// thread may evaluate that unlocks the mutex.

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/base/config.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

#define GRPC_SHM_TSAN_QUOTED(name) #name
#define GRPC_SHM_TSAN_EXPANDED(name) GRPC_SHM_TSAN_QUOTED(name)

namespace absl {
ABSL_NAMESPACE_BEGIN
namespace {

// Returns the library's function of this mangled name, given without what comes
// before the class. A member function is called with its object as the first
// argument.
template <typename Function>
Function* Library(const char* name, const char* prefix = "_ZN") {
  const std::string abi_namespace =
      GRPC_SHM_TSAN_EXPANDED(ABSL_OPTION_INLINE_NAMESPACE_NAME);
  const std::string symbol = std::string(prefix) + "4absl" +
                             std::to_string(abi_namespace.size()) +
                             abi_namespace + name;
  void* function = dlsym(RTLD_NEXT, symbol.c_str());
  if (function == nullptr) {
    std::fprintf(stderr, "%s: no %s in the installed Abseil\n", __FILE__,
                 symbol.c_str());
    std::abort();
  }
  return reinterpret_cast<Function*>(function);
}

// Abseil keeps this bit of a mutex's only word set while readers hold it.
bool HeldByReaders(const Mutex* mutex) {
  constexpr intptr_t kReaders = 1;
  return (reinterpret_cast<const std::atomic<intptr_t>*>(mutex)->load(
              std::memory_order_relaxed) &
          kReaders) != 0;
}

unsigned HeldFlags(const Mutex* mutex) {
  return HeldByReaders(mutex) ? __tsan_mutex_read_lock : 0;
}

// One of the library's functions may call another through the names below: only
// the outermost call is announced.
thread_local int calls_in_progress = 0;

class Call {
 public:
  Call() : outermost_(++calls_in_progress == 1) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() { --calls_in_progress; }

 protected:
  const bool outermost_;
};

// The scope of a call that returns with `mutex` locked.
class Locking : private Call {
 public:
  Locking(Mutex* mutex, unsigned flags) : mutex_(mutex), flags_(flags) {
    if (outermost_) __tsan_mutex_pre_lock(mutex_, flags_);
  }
  ~Locking() {
    if (outermost_) __tsan_mutex_post_lock(mutex_, flags_, 0);
  }

  // For attempts: whether it is locked after all.
  bool Result(bool locked) {
    if (!locked) flags_ |= __tsan_mutex_try_lock_failed;
    return locked;
  }

 private:
  Mutex* const mutex_;
  unsigned flags_;
};

// The scope of a call that unlocks `mutex`.
class Unlocking : private Call {
 public:
  Unlocking(Mutex* mutex, unsigned flags) : mutex_(mutex), flags_(flags) {
    if (outermost_) __tsan_mutex_pre_unlock(mutex_, flags_);
  }
  ~Unlocking() {
    if (outermost_) __tsan_mutex_post_unlock(mutex_, flags_);
  }

 private:
  Mutex* const mutex_;
  const unsigned flags_;
};

// The scope of a call that unlocks `mutex`, waits, and returns with it locked
// again.
class Waiting {
 public:
  explicit Waiting(Mutex* mutex)
      : flags_(HeldFlags(mutex)), locking_(Unlocked(mutex, flags_), flags_) {}

 private:
  static Mutex* Unlocked(Mutex* mutex, unsigned flags) {
    Unlocking unlocking(mutex, flags);
    return mutex;
  }

  const unsigned flags_;
  const Locking locking_;
};

}  // namespace

Mutex::~Mutex() {
  static auto* const destroy = Library<void(Mutex*)>("5MutexD1Ev");
  destroy(this);
  __tsan_mutex_destroy(this, __tsan_mutex_not_static);
}

void Mutex::Lock() {
  static auto* const lock = Library<void(Mutex*)>("5Mutex4LockEv");
  Locking locking(this, 0);
  lock(this);
}

void Mutex::Unlock() {
  static auto* const unlock = Library<void(Mutex*)>("5Mutex6UnlockEv");
  Unlocking unlocking(this, 0);
  unlock(this);
}

bool Mutex::TryLock() {
  static auto* const try_lock = Library<bool(Mutex*)>("5Mutex7TryLockEv");
  Locking locking(this, __tsan_mutex_try_lock);
  return locking.Result(try_lock(this));
}

void Mutex::ReaderLock() {
  static auto* const lock = Library<void(Mutex*)>("5Mutex10ReaderLockEv");
  Locking locking(this, __tsan_mutex_read_lock);
  lock(this);
}

void Mutex::ReaderUnlock() {
  static auto* const unlock = Library<void(Mutex*)>("5Mutex12ReaderUnlockEv");
  Unlocking unlocking(this, __tsan_mutex_read_lock);
  unlock(this);
}

bool Mutex::ReaderTryLock() {
  static auto* const try_lock =
      Library<bool(Mutex*)>("5Mutex13ReaderTryLockEv");
  Locking locking(this, __tsan_mutex_try_read_lock);
  return locking.Result(try_lock(this));
}

void Mutex::LockWhen(const Condition& condition) {
  static auto* const lock = Library<void(Mutex*, const Condition&)>(
      "5Mutex8LockWhenERKNS0_9ConditionE");
  Locking locking(this, 0);
  lock(this, condition);
}

bool Mutex::LockWhenWithTimeout(const Condition& condition,
                                absl::Duration timeout) {
  static auto* const lock =
      Library<bool(Mutex*, const Condition&, absl::Duration)>(
          "5Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  Locking locking(this, 0);
  return lock(this, condition, timeout);
}

bool Mutex::LockWhenWithDeadline(const Condition& condition,
                                 absl::Time deadline) {
  static auto* const lock = Library<bool(Mutex*, const Condition&, absl::Time)>(
      "5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  Locking locking(this, 0);
  return lock(this, condition, deadline);
}

void Mutex::ReaderLockWhen(const Condition& condition) {
  static auto* const lock = Library<void(Mutex*, const Condition&)>(
      "5Mutex14ReaderLockWhenERKNS0_9ConditionE");
  Locking locking(this, __tsan_mutex_read_lock);
  lock(this, condition);
}

bool Mutex::ReaderLockWhenWithTimeout(const Condition& condition,
                                      absl::Duration timeout) {
  static auto* const lock =
      Library<bool(Mutex*, const Condition&, absl::Duration)>(
          "5Mutex25ReaderLockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  Locking locking(this, __tsan_mutex_read_lock);
  return lock(this, condition, timeout);
}

bool Mutex::ReaderLockWhenWithDeadline(const Condition& condition,
                                       absl::Time deadline) {
  static auto* const lock = Library<bool(Mutex*, const Condition&, absl::Time)>(
      "5Mutex26ReaderLockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  Locking locking(this, __tsan_mutex_read_lock);
  return lock(this, condition, deadline);
}

void Mutex::Await(const Condition& condition) {
  static auto* const await =
      Library<void(Mutex*, const Condition&)>("5Mutex5AwaitERKNS0_9ConditionE");
  Waiting waiting(this);
  await(this, condition);
}

bool Mutex::AwaitWithTimeout(const Condition& condition,
                             absl::Duration timeout) {
  static auto* const await =
      Library<bool(Mutex*, const Condition&, absl::Duration)>(
          "5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  Waiting waiting(this);
  return await(this, condition, timeout);
}

bool Mutex::AwaitWithDeadline(const Condition& condition, absl::Time deadline) {
  static auto* const await =
      Library<bool(Mutex*, const Condition&, absl::Time)>(
          "5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  Waiting waiting(this);
  return await(this, condition, deadline);
}

void CondVar::Wait(Mutex* mutex) {
  static auto* const wait =
      Library<void(CondVar*, Mutex*)>("7CondVar4WaitEPNS0_5MutexE");
  Waiting waiting(mutex);
  wait(this, mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, absl::Duration timeout) {
  static auto* const wait = Library<bool(CondVar*, Mutex*, absl::Duration)>(
      "7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  Waiting waiting(mutex);
  return wait(this, mutex, timeout);
}

bool CondVar::WaitWithDeadline(Mutex* mutex, absl::Time deadline) {
  static auto* const wait = Library<bool(CondVar*, Mutex*, absl::Time)>(
      "7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  Waiting waiting(mutex);
  return wait(this, mutex, deadline);
}

// All waits may return on one look at notified_yet_, without the mutex.
// HasBeenNotified() does so inline and visibly.
void Notification::Notify() {
  static auto* const notify =
      Library<void(Notification*)>("12Notification6NotifyEv");
  __tsan_release(&notified_yet_);
  notify(this);
}

void Notification::WaitForNotification() const {
  static auto* const wait = Library<void(const Notification*)>(
      "12Notification19WaitForNotificationEv", "_ZNK");
  wait(this);
  __tsan_acquire(const_cast<std::atomic<bool>*>(&notified_yet_));
}

bool Notification::WaitForNotificationWithTimeout(
    absl::Duration timeout) const {
  static auto* const wait = Library<bool(const Notification*, absl::Duration)>(
      "12Notification30WaitForNotificationWithTimeoutENS0_8DurationE", "_ZNK");
  const bool notified = wait(this, timeout);
  if (notified) __tsan_acquire(const_cast<std::atomic<bool>*>(&notified_yet_));
  return notified;
}

bool Notification::WaitForNotificationWithDeadline(absl::Time deadline) const {
  static auto* const wait = Library<bool(const Notification*, absl::Time)>(
      "12Notification31WaitForNotificationWithDeadlineENS0_4TimeE", "_ZNK");
  const bool notified = wait(this, deadline);
  if (notified) __tsan_acquire(const_cast<std::atomic<bool>*>(&notified_yet_));
  return notified;
}

// Only the last decrement takes the mutex, the others are an atomic operation
// in the library.
bool BlockingCounter::DecrementCount() {
  static auto* const decrement =
      Library<bool(BlockingCounter*)>("15BlockingCounter14DecrementCountEv");
  __tsan_release(this);
  const bool last = decrement(this);
  if (last) __tsan_acquire(this);
  return last;
}

void BlockingCounter::Wait() {
  static auto* const wait =
      Library<void(BlockingCounter*)>("15BlockingCounter4WaitEv");
  wait(this);
  __tsan_acquire(this);
}

ABSL_NAMESPACE_END
}  // namespace absl
