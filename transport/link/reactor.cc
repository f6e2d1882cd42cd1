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

#include "transport/base/fork.h"
#include "transport/base/monotonic_clock.h"
#include "transport/link/cores.h"

namespace grpc_shm {
namespace {

constexpr uint64_t kWakeId = 1;
constexpr uint64_t kTimerId = 2;

// No sum of it and a time overflows.
constexpr absl::Duration kLongestDelay = absl::Hours(24 * 365 * 100);

absl::Status Register(int epoll, int fd, uint32_t events, uint64_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    return absl::ErrnoToStatus(errno, "watching a descriptor with epoll");
  }
  return absl::OkStatus();
}

// What the calling thread is to the reactor.
enum class ThisThread { kForeign, kCounted, kBlocking };
thread_local ThisThread this_thread = ThisThread::kForeign;

}  // namespace

Reactor& Reactor::Get() {
  static Reactor* const reactor =
      new Reactor;  // never destroyed: its threads outlive static destructors
  return *reactor;
}

absl::Status Reactor::EnsureStarted() {
  if (epoll_.valid()) return absl::OkStatus();
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
  armed_for_ = 0;
  if (!ReplaceWaitingThread()) {
    epoll_.reset();
    return absl::ResourceExhaustedError(
        "starting the reactor's thread: the system has no thread left");
  }
  for (const UniqueFd* fd : {&epoll_, &wake_, &timer_})
    KeepFromChildren(fd->get());
  ArmTimer();
  if (!tasks_.empty()) Wake();
  return absl::OkStatus();
}

// Starts a thread if none waits. False: the system has no more.
bool Reactor::ReplaceWaitingThread() {
  int none = 0;
  // It counts as waiting from here on, so that nobody else starts one as well.
  if (!waiting_.compare_exchange_strong(none, 1)) return true;
  counted_.fetch_add(1);
  // Detached: it ends by itself, when there is little to do, and nobody can
  // wait for it: a handler may never return.
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  const int error = pthread_create(&thread, &detached, &ThreadMain, this);
  pthread_attr_destroy(&detached);
  if (error == 0) return true;
  counted_.fetch_sub(1);
  waiting_.fetch_sub(1);
  return false;
}

// This thread won't take part for some time, or ever.
void Reactor::StopCounting() {
  if (counted_.fetch_sub(1) <= kMaxThreads && waiting_.load() == 0)
    ReplaceWaitingThread();
}

// Whether this thread is to wait for an event: it is counted among those then.
bool Reactor::StartWaiting() {
  int waiting = waiting_.load();
  while (waiting < kMaxIdleThreads) {
    if (waiting_.compare_exchange_weak(waiting, waiting + 1)) return true;
  }
  return false;
}

Reactor::BlockingScope::BlockingScope()
    : outermost_(this_thread == ThisThread::kCounted) {
  if (!outermost_) return;
  this_thread = ThisThread::kBlocking;
  Get().StopCounting();
}

Reactor::BlockingScope::~BlockingScope() {
  if (!outermost_) return;
  Get().counted_.fetch_add(1);
  this_thread = ThisThread::kCounted;
}

absl::StatusOr<Reactor::SourceId> Reactor::Watch(int fd, uint32_t epoll_events,
                                                 Handler handler) {
  if (IsForkedChild()) {
    return absl::FailedPreconditionError(
        "this process was forked from one that had used grpc-shm");
  }
  MutexLock lock(&mu_);
  absl::Status status = EnsureStarted();
  if (!status.ok()) return status;
  const SourceId id = next_id_++;
  sources_.emplace(id, std::make_shared<Handler>(std::move(handler)));
  status = Register(epoll_.get(), fd, epoll_events, id);
  if (!status.ok()) {
    sources_.erase(id);
    return status;
  }
  KeepFromChildren(fd);
  return id;
}

void Reactor::Unwatch(SourceId id, int fd) {
  std::shared_ptr<Handler>
      handler;  // destroyed without the lock: it may own what calls back here
  if (IsForkedChild()) return;
  MutexLock lock(&mu_);
  auto it = sources_.find(id);
  if (it == sources_.end()) return;
  handler = std::move(it->second);
  sources_.erase(it);
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  ForgetDescriptor(fd);
}

void Reactor::Post(Task task) {
  if (IsForkedChild()) return;
  MutexLock lock(&mu_);
  tasks_.push_back(std::move(task));
  if (EnsureStarted().ok()) Wake();
}

void Reactor::Wake() {
  const uint64_t one = 1;
  // Never read, so each write is an edge; it can fail only after 2^64 of them.
  (void)!write(wake_.get(), &one, sizeof(one));
}

Reactor::TimerId Reactor::After(absl::Duration delay, Task task) {
  return At(MonotonicNanos() +
                absl::ToInt64Nanoseconds(std::min(delay, kLongestDelay)),
            std::move(task));
}

Reactor::TimerId Reactor::At(Nanos when, Task task) {
  if (IsForkedChild()) return 0;
  when = std::max<Nanos>(when, 1);  // zero would switch the timer off
  MutexLock lock(&mu_);
  const TimerId id = next_id_++;
  timers_.emplace(std::make_pair(when, id), std::move(task));
  timer_times_.emplace(id, when);
  if (EnsureStarted().ok() && timers_.begin()->first.second == id) ArmTimer();
  return id;
}

void Reactor::CancelTimer(TimerId id) {
  Task task;  // destroyed without the lock
  if (IsForkedChild()) return;
  MutexLock lock(&mu_);
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
  const Nanos when = timers_.empty() ? 0 : timers_.begin()->first.first;
  if (!timer_.valid() || when == armed_for_) return;
  armed_for_ = when;
  itimerspec spec{};
  spec.it_value.tv_sec = when / 1000000000;
  spec.it_value.tv_nsec = when % 1000000000;
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

void* Reactor::ThreadMain(void* reactor) {
  pthread_setname_np(pthread_self(), "grpc-shm-react");
  this_thread = ThisThread::kCounted;
  Cores::LetThisThreadMove();
  static_cast<Reactor*>(reactor)->Run();
  return nullptr;
}

void Reactor::Run() {
  int epoll;
  {
    MutexLock lock(&mu_);
    epoll = epoll_.get();
  }
  // Of the threads that wait the kernel wakes the one that came last, whose
  // caches are warm.
  do {
    epoll_event event;
    const int events = epoll_wait(epoll, &event, 1, -1);
    if (waiting_.fetch_sub(1) == 1 && counted_.load() < kMaxThreads)
      ReplaceWaitingThread();
    if (events == 1) HandleEvent(event);  // else: a signal
    if (IsForkedChild()) return;          // a handler forked, and came back
  } while (StartWaiting());
  StopCounting();
}

void Reactor::HandleEvent(const epoll_event& event) {
  Task task;
  std::shared_ptr<Handler> handler;
  // A copy: epoll_event is packed, so a reference to it would be misaligned.
  const SourceId id = event.data.u64;
  {
    MutexLock lock(&mu_);
    if (id == kWakeId) {
      task = TakeTask();
    } else if (id == kTimerId) {
      task = TakeTimer();
    } else {
      auto source = sources_.find(id);
      if (source != sources_.end()) handler = source->second;
    }
  }
  if (handler != nullptr) {
    (*handler)(event.events);
  } else if (task != nullptr) {
    task();
  }
}

Reactor::Task Reactor::TakeTask() {
  if (tasks_.empty()) return nullptr;
  Task task = std::move(tasks_.front());
  tasks_.pop_front();
  // Two posts can merge into one edge: whoever takes a task passes the rest on
  // before it runs its own.
  if (!tasks_.empty()) Wake();
  return task;
}

Reactor::Task Reactor::TakeTimer() {
  Task task;
  armed_for_ = 0;  // it goes off once
  if (!timers_.empty() && timers_.begin()->first.first <= MonotonicNanos()) {
    task = std::move(timers_.begin()->second);
    timer_times_.erase(timers_.begin()->first.second);
    timers_.erase(timers_.begin());
  }
  // The next one may be due as well: an event for another thread.
  ArmTimer();
  return task;
}

}  // namespace grpc_shm
