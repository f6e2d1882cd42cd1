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

}  // namespace

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
  const int64_t until = crowded_until_.load(std::memory_order_relaxed);
  return until != 0 && Now() < until;
}

void Cores::OnLongYield() {
  const int64_t now = Now();
  const int64_t until = crowded_until_.load(std::memory_order_relaxed);
  if (now < until) return;  // another thread has said so
  int64_t duration = absl::ToInt64Nanoseconds(kMinCrowded);
  const int64_t last = crowded_for_.load(std::memory_order_relaxed);
  if (until != 0 && now - until < last) {  // it has been no better since
    duration = std::min(2 * last, absl::ToInt64Nanoseconds(kMaxCrowded));
  }
  crowded_for_.store(duration, std::memory_order_relaxed);
  crowded_until_.store(now + duration, std::memory_order_relaxed);
}

}  // namespace grpc_shm
