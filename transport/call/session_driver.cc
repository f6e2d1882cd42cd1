// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Who reads the ring, and who runs the application's code.

#include <memory>
#include <utility>

#include "transport/call/session.h"
#include "transport/call/session_internal.h"

namespace grpc_shm {
namespace {

// The session whose Work() this thread is in.
thread_local const Session* working = nullptr;

}  // namespace

// On a reactor thread, which the doorbell has woken.
void Session::Work() {
  working = this;
  Flush();  // the doorbell also tells of space in the ring
  bool driving = false;
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
// meanwhile.
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
  if (driving_ && !session_->StopDriving()) session_->WorkLater();
}

void Session::Driver::Until(absl::FunctionRef<bool()> done) {
  if (!driving_) return;
  for (bool go_on = !done(); go_on;) {
    if (session_->Read()) {
      session_->Flush();  // credits
      go_on = !done();
    } else {
      go_on = session_->Spin();
    }
  }
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
