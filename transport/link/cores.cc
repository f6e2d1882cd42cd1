// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/cores.h"

#include <sched.h>

#include <algorithm>

#include "transport/base/monotonic_clock.h"

namespace grpc_shm {
namespace {

int CountCores() {
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0) return 1;
  return CPU_COUNT(&cpus);
}

thread_local bool may_move = false;

// Restricts the calling thread to the other ones of the cores that it may use,
// `*allowed`. False if there are none.
bool LeaveThisCore(cpu_set_t* allowed) {
  if (sched_getaffinity(0, sizeof(*allowed), allowed) != 0) return false;
  const int here = sched_getcpu();
  if (here < 0 || here >= CPU_SETSIZE) return false;
  cpu_set_t others = *allowed;
  CPU_CLR(here, &others);
  return CPU_COUNT(&others) > 0 &&
         sched_setaffinity(0, sizeof(others), &others) == 0;
}

}  // namespace

void Cores::GrowingPause::Begin(int64_t now) {
  const int64_t until = until_.load(std::memory_order_relaxed);
  if (now < until) return;  // another thread has done it
  int64_t duration = min_;
  const int64_t last = last_.load(std::memory_order_relaxed);
  if (until != 0 && now - until < last) {  // it has been no better since
    duration = std::min(2 * last, max_);
  }
  last_.store(duration, std::memory_order_relaxed);
  until_.store(now + duration, std::memory_order_relaxed);
}

Cores& Cores::OfThisProcess() {
  static Cores* const cores = new Cores(CountCores());
  return *cores;
}

int64_t Cores::Now() const { return MonotonicNanos(); }

void Cores::Yield() { sched_yield(); }

bool Cores::Take() {
  if (taken_.fetch_add(1, std::memory_order_relaxed) < count_ / 2) return true;
  GiveBack();
  return false;
}

void Cores::GiveBack() { taken_.fetch_sub(1, std::memory_order_relaxed); }

bool Cores::crowded() const {
  return !crowded_.never_begun() && !crowded_.IsOver(Now());
}

void Cores::OnLongYield() { crowded_.Begin(Now()); }

void Cores::LetThisThreadMove() { may_move = true; }

bool Cores::MoveAway() {
  const int64_t now = Now();
  if (!may_move || !stay_.IsOver(now)) return false;
  if (now - shared_since_.load(std::memory_order_relaxed) >
      absl::ToInt64Nanoseconds(kSharedWithin)) {
    shared_since_.store(now, std::memory_order_relaxed);
    shared_yields_.store(0, std::memory_order_relaxed);
  }
  if (shared_yields_.fetch_add(1, std::memory_order_relaxed) + 1 <
      kSharedYieldsOfMove)
    return false;
  shared_yields_.store(0, std::memory_order_relaxed);
  stay_.Begin(now);
  return Move();
}

void Cores::StayAwayFrom(int core) const {
  static thread_local cpu_set_t allowed;
  static thread_local int64_t until = 0;  // as long as not all are allowed
  if (!may_move) return;
  const bool pays = !crowded();
  if (until != 0) {
    if (pays && Now() < until) return;
    until = 0;
    sched_setaffinity(0, sizeof(allowed), &allowed);
  }
  if (pays && core == sched_getcpu() && LeaveThisCore(&allowed))
    until = Now() + absl::ToInt64Nanoseconds(kMaxAway);
}

bool Cores::Move() {
  cpu_set_t allowed;
  if (!LeaveThisCore(&allowed)) return false;
  sched_setaffinity(0, sizeof(allowed), &allowed);
  return true;
}

}  // namespace grpc_shm
