// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// How threads that wait for operations of their own share a session.

#include <algorithm>
#include <cstdint>
#include <utility>

#include "transport/base/monotonic_clock.h"
#include "transport/call/session.h"

namespace grpc_shm {
namespace {

// How long one caller makes calls while others sleep whose operations are
// complete, and how long each call of it may take.
constexpr int64_t kTurnNanos = 100'000;
constexpr int64_t kGraceNanos = 30'000;

// Who was not away for longer between two operations is expected to come back
// as soon the next time.
constexpr int64_t kShortAbsenceNanos = 20'000;
// So many long ones in a row, and it is not any more: one may be the kernel's
// doing, and to wake all others for it would bring about the next.
constexpr int kMostQuickReturns = 4;

// How long to wait for one that does not come back: with other threads that
// wait, and without.
constexpr int64_t kLookoutNanos = 200'000;
constexpr int64_t kLoneLookoutNanos = 1'000'000;

// What the calling thread drives as a caller.
thread_local Session* telling = nullptr;

// Whether this thread has told a caller in its last batch, and how many waits
// of callers had begun before that.
thread_local bool told_at_once = false;
thread_local uint64_t waits_before = 0;

// When this thread left a session that others wait for, too; 0: it did not.
thread_local int64_t left_at = 0;
thread_local int quick_returns = 0;

// Stands for the calling thread.
const void* ThisThread() { return &left_at; }

}  // namespace

Session::Caller::Caller(std::shared_ptr<Session> session, bool sends)
    : session_(std::move(session)) {
  session_->callers_.fetch_add(1);
  session_->caller_waits_.fetch_add(1);
  if (const int64_t left = std::exchange(left_at, 0); left != 0) {
    quick_returns = MonotonicNanos() - left < kShortAbsenceNanos
                        ? std::min(quick_returns + 1, kMostQuickReturns)
                        : std::max(quick_returns - 1, 0);
  }
  complete_.comes_back_ = quick_returns > 0;
  if (sends) driving_ = TryDrive();
}

Session::Caller::~Caller() { session_->callers_.fetch_sub(1); }

bool Session::Caller::TryDrive() {
  if (session_->HasHadTurn()) return false;
  if (!session_->TryDrive()) return false;
  session_->BeginTurn();
  return true;
}

void Session::Caller::Await(absl::FunctionRef<bool()> is_open) {
  const auto done = [this] { return complete_.HasHappened(); };
  Session* const session = session_.get();
  if (!done() && session->callers_.load(std::memory_order_relaxed) > 1)
    session->waits_since_.store(MonotonicNanos(), std::memory_order_relaxed);
  while (!done()) {
    if (!driving_) {
      // Unattended, the role is left to callers.
      driving_ = session->TakesTurns() || session->IsUnattended()
                     ? TryDrive()
                     : session->AwaitRole(done);
      if (!driving_) break;
    } else {
      if (session->AdvanceAndTell()) continue;
      if (!session->Spin(/*gives_way=*/false)) {
        if (!session->MaySleepAtFlag()) break;
        driving_ = session->SleepAtFlag(&complete_);
        if (!driving_) break;
      } else if (session->IsTellingOverdue() && session->PassTurn()) {
        driving_ = false;
        break;
      }
    }
  }
  if (std::exchange(driving_, false)) {
    if (done()) {
      session->Leave(is_open());
    } else if (!session->PassTurn()) {
      session->LetOthersDrive();
    }
  }
  if (done()) return;
  // Who has had its turn wakes the next when it sleeps itself, and not while
  // both want the same core.
  if (session->HasHadTurn()) session->WakeTold(1);
  complete_.Await();
  if (session->callers_.load(std::memory_order_relaxed) > 1)
    left_at = MonotonicNanos();
}

// Whether the calling thread, a caller, may sleep where the peer wakes it and
// no other thread, which would have to wake it in turn: while it is the only
// one that waits. There is one that sleeps so at most.
bool Session::MaySleepAtFlag() {
  if (callers_.load() != 1 || !OneTimeEvent::CanAwaitBeside() ||
      !OnlyCallersWait(/*spare=*/0))
    return false;
  MutexLock lock(&read_mu_);
  return !broken_;
}

// Ends this thread's driving until something has come or the operation is
// complete; true if it drives again. Otherwise another thread does.
bool Session::SleepAtFlag(Completion* complete) {
  asleep_at_flag_.store(true);
  // Had one begun to wait in between, it has not seen that.
  if (StopDriving(armed_flag::kAtFlag) && MaySleepAtFlag() &&
      complete->event_.AwaitBeside(flag_, armed_flag::kAtFlag) &&
      !complete->HasHappened())
    IsWokenForNothing();
  return TryDrive();
}

void Session::Tell(Completion* complete) {
  if (telling == nullptr) {
    told_at_once = true;
    return complete->event_.Happen();
  }
  const bool comes_back = complete->comes_back_;
  const OneTimeEvent::Sleeper sleeper = complete->event_.HappenQuietly();
  if (sleeper == nullptr) return;
  MutexLock lock(&telling->told_mu_);
  telling->told_.push_back({sleeper, comes_back});
  telling->told_count_.store(telling->told_.size(), std::memory_order_relaxed);
}

void Session::WakeTold(size_t most) {
  while (most-- > 0 && told_count_.load(std::memory_order_relaxed) > 0) {
    OneTimeEvent::Sleeper sleeper;
    {
      MutexLock lock(&told_mu_);
      if (told_.empty()) return;
      sleeper = told_.front().sleeper;
      told_.pop_front();
      told_count_.store(told_.size(), std::memory_order_relaxed);
    }
    OneTimeEvent::Wake(sleeper);
  }
}

bool Session::TakesTurns() const { return spinner_.SharesCore(); }

// Whether it is for another caller to drive, and not for this thread.
bool Session::HasHadTurn() const {
  return turn_passed_.load(std::memory_order_relaxed) &&
         turn_of_.load(std::memory_order_relaxed) == ThisThread() &&
         callers_.load(std::memory_order_relaxed) > 1;
}

void Session::BeginTurn() {
  if (turn_of_.exchange(ThisThread(), std::memory_order_relaxed) ==
      ThisThread())
    return;
  turn_passed_.store(false, std::memory_order_relaxed);
  if (callers_.load(std::memory_order_relaxed) > 1)
    turn_ends_.store(MonotonicNanos() + kTurnNanos, std::memory_order_relaxed);
}

bool Session::IsTellingOverdue() const {
  return told_count_.load(std::memory_order_relaxed) > 0 &&
         MonotonicNanos() >=
             waits_since_.load(std::memory_order_relaxed) + kGraceNanos;
}

// Reads, on behalf of callers that may be told later; see WakeTold.
bool Session::AdvanceAndTell() {
  const bool turns =
      callers_.load(std::memory_order_relaxed) > 1 && TakesTurns();
  telling = turns ? this : nullptr;
  told_at_once = false;
  waits_before = caller_waits_.load();
  const bool advanced = Advance();
  telling = nullptr;
  return advanced;
}

// Whether one of those who are told drives from now on instead of this thread,
// since it is expected to come back.
bool Session::PassTurn() {
  if (told_count_.load(std::memory_order_relaxed) == 0) return false;
  bool comes_back;
  {
    MutexLock lock(&told_mu_);
    comes_back = !told_.empty() && told_.front().comes_back;
  }
  if (comes_back) {
    turn_of_.store(nullptr, std::memory_order_relaxed);
    if (Linger(/*spare=*/0)) {
      WakeTold(1);
      return true;
    }
  }
  WakeTold(SIZE_MAX);
  return false;
}

// Ends the driving of a caller whose operation is complete.
void Session::Leave(bool open) {
  const bool alone = callers_.load(std::memory_order_relaxed) == 1;
  bool takes_turns = false;
  bool passes = false;
  if (!alone) {
    left_at = MonotonicNanos();
    takes_turns = quick_returns > 0 && TakesTurns();
    passes = takes_turns &&
             left_at >= turn_ends_.load(std::memory_order_relaxed) &&
             told_count_.load(std::memory_order_relaxed) > 0;
  }
  if (takes_turns || (alone && open)) {
    if (passes) turn_passed_.store(true, std::memory_order_relaxed);
    if (Linger(/*spare=*/open ? 0 : -1)) {
      if (alone) WakeTold(SIZE_MAX);
      return;
    }
    turn_passed_.store(false, std::memory_order_relaxed);
  }
  WakeTold(SIZE_MAX);
  LetOthersDrive();
}

// Ends this thread's driving, with nobody to be woken for what arrives as long
// as that may be so: false if somebody has to be.
bool Session::LingerWhile(absl::FunctionRef<bool()> allowed,
                          int64_t lookout_nanos) {
  if (full_.load() || !allowed()) return false;
  lookout_nanos_.store(lookout_nanos, std::memory_order_relaxed);
  lingering_.store(true);
  driven_.store(false);
  WatchOut();
  // Had one begun to wait in between, it has not seen that.
  if (full_.load() || !allowed()) EndLingering();
  return true;
}

bool Session::Linger(int spare) {
  return LingerWhile([&] { return OnlyCallersWait(spare); },
                     callers_.load(std::memory_order_relaxed) > 1
                         ? kLookoutNanos
                         : kLoneLookoutNanos);
}

// Whether nobody waits for anything on this session but callers, which see to
// it themselves: all calls are theirs, less (or more) so many to `spare`.
bool Session::OnlyCallersWait(int spare) {
  const int waiting =
      callers_.load() - static_cast<int>(told_count_.load()) + spare;
  MutexLock lock(&mu_);
  return link_ != nullptr && !options_.offers &&
         static_cast<int>(calls_.size()) <= waiting;
}

// Ends the driving of a reactor thread, if it has told the one caller there is
// of something on the one call there is, soon after the last time, and that one
// does not wait again yet: whoever waits for a stream's messages reads the next
// one, too. Otherwise both would be at work, beside the peer.
bool Session::LeaveToCaller() {
  if (is_server() || !told_at_once) return false;
  const int64_t now = MonotonicNanos();
  if (now - std::exchange(told_at_, now) > kLoneLookoutNanos) return false;
  return LingerWhile(
      [this] {
        MutexLock lock(&mu_);
        return link_ != nullptr && !options_.offers && calls_.size() == 1 &&
               caller_waits_.load() == waits_before;
      },
      kLoneLookoutNanos);
}

void Session::EndLingering() {
  if (IsUnattended() && TryDrive()) LetOthersDrive();
}

// Whether an asynchronous application has things to do before it waits.
bool Session::IsApplicationBusy() const {
  return Untaken() > 0 && !application_stalled_.load() &&
         callers_.load(std::memory_order_relaxed) == 0;
}

int Session::Untaken() const {
  return options_.untaken != nullptr
             ? options_.untaken->load(std::memory_order_relaxed)
             : 0;
}

// Ends this thread's driving, if the application will see to what arrives.
bool Session::LeaveToApplication() {
  return LingerWhile([this] { return IsApplicationBusy(); }, kLoneLookoutNanos);
}

// Has somebody look whether who lingers has come back.
void Session::WatchOut() {
  if (looking_out_.load(std::memory_order_relaxed) ||
      looking_out_.exchange(true))
    return;
  Timeouts::Get().Add(
      MonotonicNanos() + lookout_nanos_.load(std::memory_order_relaxed),
      std::shared_ptr<Expirable>(shared_from_this(), &lookout_));
}

void Session::OnLookout() {
  const uint64_t drives = drives_.load(std::memory_order_relaxed);
  const bool came_back =
      seen_drives_.exchange(drives, std::memory_order_relaxed) != drives;
  const int untaken = Untaken();
  const bool stalled = std::exchange(seen_untaken_, untaken) == untaken;
  looking_out_.store(false);
  if (!lingering_.load() && told_count_.load() == 0) return;
  if (came_back) return WatchOut();
  if (stalled && untaken > 0) application_stalled_.store(true);
  turn_passed_.store(false, std::memory_order_relaxed);
  WakeTold(SIZE_MAX);
  if (!TryDrive()) return;
  seen_drives_.store(drives_.load(std::memory_order_relaxed),
                     std::memory_order_relaxed);
  Work(/*driving=*/true);
}

}  // namespace grpc_shm
