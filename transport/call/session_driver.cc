// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Who reads the ring, and who runs the application's code.

#include <algorithm>
#include <memory>
#include <utility>

#include "transport/base/fork.h"
#include "transport/base/monotonic_clock.h"
#include "transport/call/session.h"
#include "transport/call/session_internal.h"

namespace grpc_shm {
namespace {

// How long a quick job may keep others from reading: its driver loses the role
// after once to twice that time.
constexpr int64_t kOverdueNanos = 2'000'000;

// What has been sent since something came, and the last message, whenever that
// left, the peer has to copy and to parse before it goes on: who waits for it
// waits longer by the time that it takes. A wait for more than this many bytes
// would rather be a sleep.
constexpr uint64_t kBytesPerNano = 4;
constexpr uint64_t kMostBytesToWaitFor = 16 << 20;

// Threads that wait awake for the role. With one the role is never without
// anybody; more would only get in the way of those that have work.
constexpr int kMostAwaitingRole = 1;

// What a thread reads that has other things to do: enough to keep up.
constexpr int kMostBatchesPolled = 16;

// Batches that a reactor thread reads in a row while others want one: a peer
// that writes all the time has no thread for itself.
constexpr int kBatchesInARow = 16;

// The session whose Work() this thread is in.
thread_local const Session* working = nullptr;

}  // namespace

// On a reactor thread, which the doorbell has woken, or which has taken the
// role from another one.
void Session::Work(bool driving) {
  working = this;
  RingIfDue(/*now=*/true);    // if the role was taken away in the middle
  if (full_.load()) Flush();  // the doorbell also tells of space in the ring
  for (int batches = 0;;) {
    if (RunJob(&driving)) {
      if (IsForkedChild()) return;  // the job forked, and came back
      continue;
    }
    if (driving && batches > 0 &&
        (PassTurn() || LeaveToCaller() || LeaveToApplication()))
      break;
    if (!driving) {
      if (!(driving = TryDrive())) break;
      if (is_server() && spinner_.MayWait())
        Cores::OfThisProcess().StayAwayFrom(PeersCore());
    }
    if (AdvanceAndTell()) {
      if (++batches < kBatchesInARow || !Reactor::Get().IsCrowded()) continue;
      RingIfDue(/*now=*/true);
      HandOver();
      WorkLater();  // there may be jobs as well
      break;
    }
    // In a client it would be one thread too many beside the application's,
    // unless the rest of a message is on its way.
    if ((is_server() || mid_message_.load(std::memory_order_relaxed)) &&
        awaiting_role_.load() == 0 && Spin(/*gives_way=*/true))
      continue;
    RingIfDue(/*now=*/true);
    driving = false;
    if (HandOver()) break;
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
    MutexLock lock(&jobs_mu_);
    if (jobs_.empty()) return false;
    job = std::move(jobs_.front());
    jobs_.pop_front();
    more = !jobs_.empty();
  }
  if (*driving && job->IsQuick()) {
    *driving = RunQuickly(job.get());
    RingIfDue(/*now=*/!*driving);
    return true;
  }
  RingIfDue(/*now=*/true);
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
  deferring_ = this;
  quick_job_ = number;
  {
    Reactor::BlockingScope scope;
    job->Run();
  }
  deferring_ = nullptr;
  working = this;
  return keeping_.compare_exchange_strong(number, 0);
}

// Whether this thread has the role, for a quick job that turns out to have to
// wait: then it keeps the role for that, and not for the job any more.
bool Session::TakeFromQuickJob() {
  if (deferring_ != this) return false;
  deferring_ = nullptr;
  uint64_t number = quick_job_;
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
    MutexLock lock(&jobs_mu_);
    jobs_.push_back(std::move(job));
  }
  if (working != this) WorkLater();
}

Session::Driver::Driver(std::shared_ptr<Session> session)
    : session_(std::move(session)),
      driving_(session_->TakeFromQuickJob() || session_->TryDrive()) {}

Session::Driver::~Driver() {
  if (driving_) session_->LetOthersDrive();
}

void Session::Driver::Until(absl::FunctionRef<bool()> done) {
  while (!done()) {
    if (!driving_) {
      driving_ = session_->AwaitRole(done);
      if (!driving_) return;
    } else if (!session_->Advance() && !session_->Spin(/*gives_way=*/false)) {
      return;
    }
  }
}

void Session::Poll(bool waits) {
  if (application_stalled_.load(std::memory_order_relaxed))
    application_stalled_.store(false);
  if (driven_.load(std::memory_order_relaxed)) return;
  {
    MutexLock lock(&read_mu_);
    if (link_ == nullptr || broken_) return;
    if (!waits && !HasUnread() && (!IsUnattended() || IsApplicationBusy()))
      return;
  }
  if (!TryDrive()) return;
  int batches = 0;
  while (batches < kMostBatchesPolled) {
    if (Advance()) {
      ++batches;
    } else if (batches > 0 || !waits || !Spin(/*gives_way=*/false)) {
      break;
    }
  }
  if (!LeaveToApplication()) LetOthersDrive();
}

// Waits awake, if that is worth it, until `done` or until nobody drives; true
// if this thread does now.
bool Session::AwaitRole(absl::FunctionRef<bool()> done) {
  if (awaiting_role_.load(std::memory_order_relaxed) >= kMostAwaitingRole ||
      !spinner_.WorthIt())
    return false;
  bool driving = false;
  awaiting_role_.fetch_add(1);
  spinner_.Wait([&] { return done() || (driving = TryDrive()); });
  if (awaiting_role_.fetch_sub(1) == 1 && !driving && !driven_.load() &&
      TryDrive())
    LetOthersDrive();
  return driving;
}

// Ends this thread's driving: who waits awake for that goes on without anybody
// having to ring. False as StopDriving.
bool Session::HandOver() {
  if (awaiting_role_.load() > 0) {
    driven_.store(false);
    if (awaiting_role_.load() > 0 || !TryDrive()) return true;
  }
  return StopDriving();
}

// Ends this thread's driving, whatever there is to read.
void Session::LetOthersDrive() {
  if (!HandOver()) WorkLater();
}

// Whether this thread drives the session from now on.
bool Session::TryDrive() {
  if (IsForkedChild()) return false;  // the ring is the parent's
  if (driven_.load(std::memory_order_relaxed) ||
      driven_.exchange(true, std::memory_order_acquire))
    return false;
  MutexLock lock(&read_mu_);
  unread_.store(false);
  seen_unread_ = false;
  if (link_ == nullptr) {
    driven_.store(false, std::memory_order_release);
    return false;
  }
  drives_.store(drives_.load(std::memory_order_relaxed) + 1,
                std::memory_order_relaxed);
  if (lingering_.load(std::memory_order_relaxed)) lingering_.store(false);
  if (asleep_at_flag_.load(std::memory_order_relaxed))
    asleep_at_flag_.store(false);
  link_->consumer().Disarm();
  return true;
}

// False if there is more to read; then nobody is woken for it.
bool Session::StopDriving(armed_flag::Sleep where) {
  bool armed;
  {
    MutexLock lock(&read_mu_);
    driven_.store(false);
    armed = link_ == nullptr || broken_ || link_->consumer().Arm(where);
    if (!armed) unread_.store(true);
  }
  if (full_.load()) Flush();  // tells the consumer to ring for space
  return armed;
}

// Reads what has come and writes what there is space for; false if there was
// nothing to read.
bool Session::Advance() {
  const bool read = Read();
  if (read || full_.load(std::memory_order_relaxed)) Flush();
  return read;
}

// Whether nobody drives, and no thread of this layer is woken for what comes.
bool Session::IsUnattended() const {
  return lingering_.load() || asleep_at_flag_.load();
}

bool Session::HasUnread() {
  RecordHeader header;
  const std::byte* payload;
  return link_->consumer().Peek(&header, &payload) !=
         RingConsumer::Next::kEmpty;
}

// In the ring that was too full.
bool Session::HasNewSpace() const {
  return full_.load(std::memory_order_relaxed) &&
         link_->producer().HasMovedFrom(
             full_at_.load(std::memory_order_relaxed));
}

// Where the peer has rung from last; -1: nowhere.
int Session::PeersCore() {
  MutexLock lock(&read_mu_);
  return link_ != nullptr ? link_->consumer().ProducersCore() : -1;
}

// What is awaited is on its way: the rest of a message, or space or credit for
// one. Not where that was late the last time.
bool Session::IsInTheMiddle() const {
  return !late_in_the_middle_.load(std::memory_order_relaxed) &&
         (mid_message_.load(std::memory_order_relaxed) ||
          mid_send_.load(std::memory_order_relaxed) ||
          full_.load(std::memory_order_relaxed));
}

// What the peer needs before it can answer, for what it has been sent.
absl::Duration Session::TimeToDigest() const {
  return absl::Nanoseconds(
      std::min(sent_since_read_.load(std::memory_order_relaxed) +
                   last_sent_.load(std::memory_order_relaxed),
               kMostBytesToWaitFor) /
      kBytesPerNano);
}

// Waits awake, if that is worth it, until there is something to read or space
// to write; or, if it gives way, until a thread that waits for a call of its
// own waits for the role.
bool Session::Spin(bool gives_way) {
  RingIfDue(/*now=*/false);
  const bool in_the_middle = IsInTheMiddle();
  if (!in_the_middle && !spinner_.WorthIt()) return false;
  // A thread of the reactor may wait long here, by the busy policy.
  Reactor::BlockingScope scope;
  MutexLock lock(&read_mu_);
  if (link_ == nullptr || broken_) return false;
  const int64_t ring_at = ring_at_.load(std::memory_order_relaxed);
  const bool tells = told_count_.load(std::memory_order_relaxed) > 0;
  const bool happened = spinner_.Wait(
      [&] {
        AssertHeld(read_mu_);
        return HasUnread() || closing_.load(std::memory_order_relaxed) ||
               (gives_way &&
                awaiting_role_.load(std::memory_order_relaxed) > 0) ||
               HasNewSpace() || (ring_at != 0 && MonotonicNanos() >= ring_at) ||
               (tells && IsTellingOverdue());
      },
      TimeToDigest());
  if (happened || in_the_middle)
    late_in_the_middle_.store(!happened, std::memory_order_relaxed);
  return happened;
}

}  // namespace grpc_shm
