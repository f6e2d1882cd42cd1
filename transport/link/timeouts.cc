// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/timeouts.h"

#include <algorithm>
#include <utility>

#include "transport/base/fork.h"
#include "transport/base/monotonic_clock.h"

namespace grpc_shm {
namespace {

// How long one OnExpired may hold up others that are due.
constexpr int64_t kPatienceNanos = 1000000;

}  // namespace

Timeouts& Timeouts::Get() {
  static Timeouts* const timeouts = new Timeouts;  // the reactor calls it
  return *timeouts;
}

Timeouts::Id Timeouts::Add(int64_t when, std::weak_ptr<Expirable> who) {
  if (IsForkedChild()) return Id();
  MutexLock lock(&mu_);
  const Id id(when, ++last_serial_);
  deadlines_.emplace(id, std::move(who));
  if (when < armed_for_) Arm(when);
  return id;
}

void Timeouts::Remove(Id id) {
  std::weak_ptr<Expirable> who;  // may own the last of a call's memory: freed
                                 // without the lock
  if (IsForkedChild()) return;
  MutexLock lock(&mu_);
  auto deadline = deadlines_.find(id);
  if (deadline == deadlines_.end()) return;
  who = std::move(deadline->second);
  deadlines_.erase(deadline);
}

int64_t Timeouts::times_armed() const {
  MutexLock lock(&mu_);
  return times_armed_;
}

void Timeouts::Arm(int64_t when) {
  if (armed_for_ != kNotArmed) Reactor::Get().CancelTimer(timer_);
  armed_for_ = when;
  timer_ = Reactor::Get().At(
      when, [this, number = ++times_armed_] { OnTimer(number); });
}

void Timeouts::OnTimer(int64_t number) {
  std::weak_ptr<Expirable> due;
  bool found;
  {
    MutexLock lock(&mu_);
    // It was too late to cancel this timer, whose place an earlier one took.
    if (number != times_armed_) return;
    armed_for_ = kNotArmed;
    found = TakeDue(&due);
  }
  while (found) {
    if (const std::shared_ptr<Expirable> who = due.lock()) who->OnExpired();
    MutexLock lock(&mu_);
    found = TakeDue(&due);
  }
}

bool Timeouts::TakeDue(std::weak_ptr<Expirable>* due) {
  if (deadlines_.empty()) return false;
  const int64_t now = MonotonicNanos();
  auto first = deadlines_.begin();
  const bool found = first->first.first <= now;
  if (found) {
    *due = std::move(first->second);
    first = deadlines_.erase(first);
  }
  if (first != deadlines_.end()) {
    // What else is due this thread runs next, or another one if this one is
    // held up.
    int64_t when = first->first.first;
    if (found) when = std::max(when, now + kPatienceNanos);
    if (when < armed_for_) Arm(when);
  }
  return found;
}

}  // namespace grpc_shm
