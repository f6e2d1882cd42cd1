// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_REACTOR_H_
#define GRPC_SHM_TRANSPORT_LINK_REACTOR_H_

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "transport/base/mutex.h"
#include "transport/base/unique_fd.h"

namespace grpc_shm {

// The process-wide event loop: sleeps in epoll on doorbells, control sockets
// and listening sockets, and runs timers and posted tasks. An idle process is
// never woken by it.
//
// Threads: everything is thread-safe. Handlers run on the reactor's own threads
// ("grpc-shm-react"), one event per wait, so that a handler that takes long
// holds nobody else's event. A thread that takes an event while no other one
// waits starts another (up to kMaxThreads), since a handler may end in a
// callback service's method, which gRPC runs on the thread that delivers the
// request. Code that may block for ever says so with a BlockingScope. A thread
// that comes back while kMaxIdleThreads wait already ends. A handler of an
// edge-triggered source can run concurrently with itself.
//
// Lifetime: made on first use and never destroyed. Handlers hold weak
// references to what they serve: Unwatch and CancelTimer do not wait for a
// handler that is already running.
//
// In a forked child (base/fork.h) Watch fails with FAILED_PRECONDITION, and
// everything else does nothing.
//
// Failure: Watch gives RESOURCE_EXHAUSTED when the process has no descriptors
// or threads left; tasks and timers then wait until there are some. If only
// more threads can't be had, events wait for those that there are.
class Reactor {
 public:
  using Handler = std::function<void(uint32_t epoll_events)>;
  using Task = std::function<void()>;
  using SourceId = uint64_t;
  using TimerId = uint64_t;

  // Threads outside of any BlockingScope. More serve more handlers that block
  // without saying so, and compete for the same cores otherwise.
  static constexpr int kMaxThreads = 8;

  // Threads that are kept when there is nothing to do. Each costs a stack; each
  // one less is a thread to start when so many events come at once.
  static constexpr int kMaxIdleThreads = 4;

  static Reactor& Get();

  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // Calls `handler` whenever `fd` has `epoll_events` (an EPOLL* mask, commonly
  // with EPOLLET).
  absl::StatusOr<SourceId> Watch(int fd, uint32_t epoll_events,
                                 Handler handler);

  // Must precede closing `fd`: a peer may hold the same open file, which would
  // keep the registration alive.
  void Unwatch(SourceId id, int fd);

  // Runs `task` soon on a reactor thread.
  void Post(Task task);

  // Runs `task` after `delay`, or at `when` (MonotonicNanos), once.
  TimerId After(absl::Duration delay, Task task);
  TimerId At(int64_t when, Task task);

  // Forgets a timer that has not started to run.
  void CancelTimer(TimerId id);

  // Whether nobody waits for events: a handler that could go on for ever should
  // rather go on later. Any thread may ask; the answer is a hint.
  bool IsCrowded() const {
    return waiting_.load(std::memory_order_relaxed) == 0;
  }

  // While it lives, the calling thread may block for any time: it is none of
  // the kMaxThreads, and another thread waits for events. Free of locks and
  // system calls when one does already. Does nothing on a thread that is not
  // the reactor's, or inside of another one.
  class BlockingScope {
   public:
    BlockingScope();
    ~BlockingScope();
    BlockingScope(const BlockingScope&) = delete;
    BlockingScope& operator=(const BlockingScope&) = delete;

   private:
    const bool outermost_;
  };

 private:
  using Nanos = int64_t;  // CLOCK_MONOTONIC

  Reactor() = default;

  absl::Status EnsureStarted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool ReplaceWaitingThread();
  void StopCounting();
  bool StartWaiting();
  static void* ThreadMain(void* reactor);
  void Run();
  void HandleEvent(const epoll_event& event);
  Task TakeTask() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Task TakeTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ArmTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Memory ordering: both sequentially consistent. Who stops waiting looks for
  // room among the counted; who stops being counted looks for one that waits:
  // so at least one of two that do so at once sees the other, and starts the
  // thread that is needed.
  std::atomic<int> counted_{0};  // threads, less those in a BlockingScope
  std::atomic<int> waiting_{0};  // in epoll, or on the shortest way there

  Mutex mu_;
  UniqueFd epoll_ ABSL_GUARDED_BY(mu_);
  UniqueFd wake_
      ABSL_GUARDED_BY(mu_);  // eventfd, edge-triggered and never read
  UniqueFd timer_ ABSL_GUARDED_BY(mu_);       // timerfd
  Nanos armed_for_ ABSL_GUARDED_BY(mu_) = 0;  // 0: not armed
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) =
      16;  // lower ids are the reactor's own descriptors
  absl::flat_hash_map<SourceId, std::shared_ptr<Handler>> sources_
      ABSL_GUARDED_BY(mu_);
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mu_);
  std::map<std::pair<Nanos, TimerId>, Task> timers_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<TimerId, Nanos> timer_times_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_REACTOR_H_
