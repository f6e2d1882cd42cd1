// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// How a session notices a wake-up that was lost, which never happens unless
// there is an error in who drives or in the doorbells.
//
// While calls are open, a timer looks once a second. Everybody's is due at the
// same time, so they are one wake-up of the process, and a process that falls
// idle is woken once more at most. What nobody has read at two looks in a row,
// though nobody drove the session in between, nobody was woken for. (Or the
// peer was stopped for a second between publishing and ringing, or this process
// got no processor for as long.)

#include "transport/base/monotonic_clock.h"
#include "transport/call/session.h"

namespace grpc_shm {
namespace {

constexpr int64_t kPeriodNanos = 1'000'000'000;

std::atomic<uint64_t> lost{0};

}  // namespace

uint64_t Session::lost_wakeups() {
  return lost.load(std::memory_order_relaxed);
}

void Session::ArmBackstop() {
  backstop_armed_ = true;
  const int64_t next = (MonotonicNanos() / kPeriodNanos + 1) * kPeriodNanos;
  Timeouts::Get().Add(
      next, std::shared_ptr<Expirable>(shared_from_this(), &backstop_));
}

void Session::Backstop::OnExpired() { session->OnBackstop(); }

void Session::OnBackstop() {
  {
    MutexLock lock(&mu_);
    backstop_armed_ = false;
    if (calls_.empty()) return;
    ArmBackstop();
  }
  // Whoever holds the lock is awake.
  if (driven_.load() || !read_mu_.TryLock()) return;
  const bool was_lost = WasAsleepTwice();
  read_mu_.Unlock();
  if (!was_lost) return;
  lost.fetch_add(1, std::memory_order_relaxed);
  WorkLater();
}

// Whether there is something to read or space to write that there was when this
// was last asked, and nobody has taken notice of since.
bool Session::WasAsleepTwice() {
  if (link_ == nullptr || broken_ || driven_.load()) return false;
  const bool unread = HasUnread();
  const uint64_t full_at = full_at_.load(std::memory_order_relaxed);
  const bool space = full_.load() && link_->producer().HasMovedFrom(full_at);
  // A new try to write finds the space, or the ring full at another place.
  const bool lost = (unread && seen_unread_) ||
                    (space && seen_space_ && seen_full_at_ == full_at);
  seen_unread_ = unread;
  seen_space_ = space;
  seen_full_at_ = full_at;
  return lost;
}

}  // namespace grpc_shm
