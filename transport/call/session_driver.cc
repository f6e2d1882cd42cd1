// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Who reads the ring, and who runs the application's code.

#include <memory>
#include <utility>

#include "transport/base/monotonic_clock.h"
#include "transport/call/session.h"
#include "transport/call/session_internal.h"

namespace grpc_shm {
namespace {

// How long a quick job may keep others from reading: its driver loses the role
// after once to twice that time.
constexpr int64_t kOverdueNanos = 2'000'000;

// The session whose Work() this thread is in.
thread_local const Session* working = nullptr;

}  // namespace

// On a reactor thread, which the doorbell has woken, or which has taken the
// role from another one.
void Session::Work(bool driving) {
  working = this;
  Flush();  // the doorbell also tells of space in the ring
  for (;;) {
    if (RunJob(&driving)) continue;
    if (!driving && !(driving = TryDrive())) break;
    if (Read()) {
      Flush();  // credits
      continue;
    }
    // The thread that makes a client's only call waits awake itself: it would
    // have to be woken otherwise.
    if ((is_server() || calls() > 1) && Spin()) continue;
    driving = false;
    if (StopDriving()) break;
  }
  working = nullptr;
}

void Session::WorkLater() {
  Reactor::Get().Post([weak = weak_from_this()] {
    if (const std::shared_ptr<Session> self = weak.lock()) self->Work();
  });
}

// Runs a job, if there is one, and sees to it that others can do all else
// meanwhile, unless it is over at once.
bool Session::RunJob(bool* driving) {
  std::shared_ptr<Job> job;
  bool more;
  {
    absl::MutexLock lock(&jobs_mu_);
    if (jobs_.empty()) return false;
    job = std::move(jobs_.front());
    jobs_.pop_front();
    more = !jobs_.empty();
  }
  if (*driving && job->IsQuick()) {
    *driving = RunQuickly(job.get());
    return true;
  }
  if (std::exchange(*driving, false)) StopDriving();
  if (more || unread_.load()) WorkLater();
  // What the job itself submits, by driving, is for other threads.
  working = nullptr;
  {
    Reactor::BlockingScope scope;
    job->Run();
  }
  working = this;
  return true;
}

// Runs a job on the thread that drives; false if it does not any more.
bool Session::RunQuickly(Job* job) {
  uint64_t number = quick_jobs_.load(std::memory_order_relaxed) + 1;
  quick_jobs_.store(number, std::memory_order_relaxed);
  keeping_.store(number);
  if (!watched_.load()) WatchQuickJobs();
  working = nullptr;
  {
    Reactor::BlockingScope scope;
    job->Run();
  }
  working = this;
  return keeping_.compare_exchange_strong(number, 0);
}

void Session::WatchQuickJobs() {
  if (watched_.exchange(true)) return;
  Timeouts::Get().Add(MonotonicNanos() + kOverdueNanos, weak_from_this());
}

// Looks whether the quick job of last time still runs, and takes the reading
// over then.
void Session::OnExpired() {
  const uint64_t now = quick_jobs_.load(std::memory_order_relaxed);
  const uint64_t last = std::exchange(watched_job_, now);
  watched_.store(false);  // from here on another thread may be in here
  uint64_t number = keeping_.load();
  const bool overdue = number != 0 && number == last &&
                       keeping_.compare_exchange_strong(number, 0);
  if (number != 0 || now != last) WatchQuickJobs();
  if (overdue) Work(/*driving=*/true);
}

void Session::Submit(std::shared_ptr<Job> job) {
  {
    absl::MutexLock lock(&jobs_mu_);
    jobs_.push_back(std::move(job));
  }
  if (working != this) WorkLater();
}

Session::Driver::Driver(std::shared_ptr<Session> session)
    : session_(std::move(session)), driving_(session_->TryDrive()) {}

Session::Driver::~Driver() {
  if (driving_) session_->HandOver();
}

void Session::Driver::Until(absl::FunctionRef<bool()> done) {
  while (!done()) {
    if (!driving_) {
      driving_ = session_->AwaitRole(done);
      if (!driving_) return;
    } else if (session_->Read()) {
      session_->Flush();  // credits
    } else if (!session_->Spin()) {
      return;
    }
  }
}

void Session::Driver::Poll() {
  if (driving_ && session_->Read()) session_->Flush();  // credits
}

// Waits awake, if that is worth it, until `done` or until nobody drives; true
// if this thread does now.
bool Session::AwaitRole(absl::FunctionRef<bool()> done) {
  if (!spinner_.WorthIt()) return false;
  bool driving = false;
  awaiting_role_.fetch_add(1);
  spinner_.Wait([&] { return done() || (driving = TryDrive()); });
  if (awaiting_role_.fetch_sub(1) == 1 && !driving && !driven_.load() &&
      TryDrive())
    HandOver();
  return driving;
}

// Ends this thread's driving: who waits awake for that goes on without anybody
// having to ring.
void Session::HandOver() {
  if (awaiting_role_.load() > 0) {
    driven_.store(false);
    if (awaiting_role_.load() > 0 || !TryDrive()) return;
  }
  if (!StopDriving()) WorkLater();
}

// Whether this thread drives the session from now on.
bool Session::TryDrive() {
  if (driven_.load(std::memory_order_relaxed) ||
      driven_.exchange(true, std::memory_order_acquire))
    return false;
  absl::MutexLock lock(&read_mu_);
  unread_.store(false);
  if (link_ == nullptr) {
    driven_.store(false, std::memory_order_release);
    return false;
  }
  link_->consumer().Disarm();
  return true;
}

// False if there is more to read; then nobody is woken for it.
bool Session::StopDriving() {
  absl::MutexLock lock(&read_mu_);
  driven_.store(false, std::memory_order_release);
  const bool armed = link_ == nullptr || broken_ || link_->consumer().Arm();
  if (!armed) unread_.store(true);
  return armed;
}

// Waits awake, if that is worth it, until there is something to read.
bool Session::Spin() {
  if (!spinner_.WorthIt()) return false;
  // A thread of the reactor may wait long here, by the busy policy.
  Reactor::BlockingScope scope;
  absl::MutexLock lock(&read_mu_);
  if (link_ == nullptr || broken_) return false;
  RingConsumer& ring = link_->consumer();
  return spinner_.Wait([this, &ring] {
    RecordHeader header;
    const std::byte* payload;
    return ring.Peek(&header, &payload) != RingConsumer::Next::kEmpty ||
           closing_.load(std::memory_order_relaxed);
  });
}

}  // namespace grpc_shm
