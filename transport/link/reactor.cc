// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/reactor.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "transport/base/monotonic_clock.h"

namespace grpc_shm {
namespace {

constexpr uint64_t kWakeId = 1;
constexpr uint64_t kTimerId = 2;

absl::Status Register(int epoll, int fd, uint32_t events, uint64_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    return absl::ErrnoToStatus(errno, "watching a descriptor with epoll");
  }
  return absl::OkStatus();
}

}  // namespace

Reactor& Reactor::Get() {
  static Reactor* const reactor =
      new Reactor;  // never destroyed: its threads outlive static destructors
  return *reactor;
}

absl::Status Reactor::EnsureStarted() {
  if (threads_ > 0) return absl::OkStatus();
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid())
    return absl::ErrnoToStatus(errno,
                               "creating the reactor's epoll descriptor");
  UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid())
    return absl::ErrnoToStatus(errno, "creating the reactor's eventfd");
  UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid())
    return absl::ErrnoToStatus(errno, "creating the reactor's timerfd");
  absl::Status status =
      Register(epoll.get(), wake.get(), EPOLLIN | EPOLLET, kWakeId);
  if (status.ok())
    status = Register(epoll.get(), timer.get(), EPOLLIN | EPOLLET, kTimerId);
  if (!status.ok()) return status;
  epoll_ = std::move(epoll);
  wake_ = std::move(wake);
  timer_ = std::move(timer);
  ArmTimer();
  StartThread();
  if (!tasks_.empty()) Wake();
  return absl::OkStatus();
}

void Reactor::StartThread() {
  ++threads_;
  pool_.emplace_back([this] { Run(); });
}

absl::StatusOr<Reactor::SourceId> Reactor::Watch(int fd, uint32_t epoll_events,
                                                 Handler handler) {
  absl::MutexLock lock(&mu_);
  absl::Status status = EnsureStarted();
  if (!status.ok()) return status;
  const SourceId id = next_id_++;
  sources_.emplace(id, std::make_shared<Handler>(std::move(handler)));
  status = Register(epoll_.get(), fd, epoll_events, id);
  if (!status.ok()) {
    sources_.erase(id);
    return status;
  }
  return id;
}

void Reactor::Unwatch(SourceId id, int fd) {
  std::shared_ptr<Handler>
      handler;  // destroyed without the lock: it may own what calls back here
  absl::MutexLock lock(&mu_);
  auto it = sources_.find(id);
  if (it == sources_.end()) return;
  handler = std::move(it->second);
  sources_.erase(it);
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Reactor::Post(Task task) {
  absl::MutexLock lock(&mu_);
  tasks_.push_back(std::move(task));
  if (EnsureStarted().ok()) Wake();
}

void Reactor::Wake() {
  const uint64_t one = 1;
  // Never read, so each write is an edge; it can fail only after 2^64 of them.
  (void)!write(wake_.get(), &one, sizeof(one));
}

Reactor::TimerId Reactor::After(absl::Duration delay, Task task) {
  const Nanos when =
      MonotonicNanos() + std::max<int64_t>(1, absl::ToInt64Nanoseconds(delay));
  absl::MutexLock lock(&mu_);
  const TimerId id = next_id_++;
  timers_.emplace(std::make_pair(when, id), std::move(task));
  timer_times_.emplace(id, when);
  if (EnsureStarted().ok() && timers_.begin()->first.second == id) ArmTimer();
  return id;
}

void Reactor::CancelTimer(TimerId id) {
  Task task;  // destroyed without the lock
  absl::MutexLock lock(&mu_);
  auto time = timer_times_.find(id);
  if (time == timer_times_.end()) return;
  auto timer = timers_.find({time->second, id});
  const bool first = timer == timers_.begin();
  task = std::move(timer->second);
  timers_.erase(timer);
  timer_times_.erase(time);
  if (first) ArmTimer();
}

void Reactor::ArmTimer() {
  itimerspec spec{};  // all zero: off
  if (!timers_.empty()) {
    const Nanos when = timers_.begin()->first.first;
    spec.it_value.tv_sec = when / 1000000000;
    spec.it_value.tv_nsec = when % 1000000000;
  }
  if (timer_.valid())
    timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

void Reactor::Run() {
  pthread_setname_np(pthread_self(), "grpc-shm-react");
  int epoll;
  {
    absl::MutexLock lock(&mu_);
    epoll = epoll_.get();
  }
  for (;;) {
    {
      absl::MutexLock lock(&mu_);
      ++waiting_;
    }
    epoll_event event;
    const int events = epoll_wait(epoll, &event, 1, -1);
    std::shared_ptr<Handler> handler;
    {
      absl::MutexLock lock(&mu_);
      if (--waiting_ == 0 && threads_ < kMaxThreads) StartThread();
      if (events == 1) {
        auto it = sources_.find(event.data.u64);
        if (it != sources_.end()) handler = it->second;
      }
    }
    if (events != 1) continue;  // a signal
    if (event.data.u64 == kWakeId) {
      RunTask();
    } else if (event.data.u64 == kTimerId) {
      RunTimers();
    } else if (handler != nullptr) {
      (*handler)(event.events);
    }
  }
}

void Reactor::RunTask() {
  Task task;
  {
    absl::MutexLock lock(&mu_);
    if (tasks_.empty()) return;
    task = std::move(tasks_.front());
    tasks_.pop_front();
    // Two posts can merge into one edge: whoever takes a task passes the rest
    // on before it runs its own.
    if (!tasks_.empty()) Wake();
  }
  task();
}

void Reactor::RunTimers() {
  std::vector<Task> due;
  {
    absl::MutexLock lock(&mu_);
    const Nanos now = MonotonicNanos();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
      timer_times_.erase(timers_.begin()->first.second);
      due.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
    ArmTimer();
  }
  for (Task& task : due) task();
}

}  // namespace grpc_shm
