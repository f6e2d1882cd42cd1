// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/spinner.h"

#include <algorithm>

namespace grpc_shm {
namespace {

constexpr uint32_t kMaxSkip = 64;
// Waits in vain that successful ones pay for: each for so many, all together
// for at most so many.
constexpr uint32_t kCreditOfSuccess = 2;
constexpr uint32_t kMaxCredit = 8;
constexpr int kChecksPerYield = 16;
constexpr int kMaxTogether = 8;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

bool Spinner::WorthIt() {
  if (!MayWait() || cores_->crowded()) return false;
  if (policy_ == SpinPolicy::kBusy) return true;
  const uint32_t skip = to_skip_.load(std::memory_order_relaxed);
  if (skip == 0) return true;
  to_skip_.store(skip - 1, std::memory_order_relaxed);
  return false;
}

bool Spinner::SharesCore() const {
  return MayWait() && cores_->count() < 4 && !cores_->crowded();
}

bool Spinner::Wait(absl::FunctionRef<bool()> happened, absl::Duration longer) {
  if (happened()) return true;
  if (!MayWait()) return false;
  if (policy_ == SpinPolicy::kBusy) return WaitAwake(happened, kBusyBound);

  const int together = waiting_.fetch_add(1, std::memory_order_relaxed) + 1;
  bool found = false;
  const bool allowed = HaveCore();
  if (allowed) {
    found =
        WaitAwake(happened, kBound * std::min(together, kMaxTogether) + longer);
  }
  if (waiting_.fetch_sub(1, std::memory_order_relaxed) == 1 &&
      has_core_.exchange(false, std::memory_order_relaxed))
    cores_->GiveBack();
  if (!allowed) return false;
  const uint32_t credit = credit_.load(std::memory_order_relaxed);
  if (found) {
    to_skip_.store(0, std::memory_order_relaxed);
    next_skip_.store(1, std::memory_order_relaxed);
    credit_.store(std::min(credit + kCreditOfSuccess, kMaxCredit),
                  std::memory_order_relaxed);
  } else if (credit > 0) {
    credit_.store(credit - 1, std::memory_order_relaxed);
  } else {
    const uint32_t skip = next_skip_.load(std::memory_order_relaxed);
    to_skip_.store(skip, std::memory_order_relaxed);
    next_skip_.store(std::min(2 * skip, kMaxSkip), std::memory_order_relaxed);
  }
  return found;
}

// Whether one of the cores is for those who wait here: they share it.
bool Spinner::HaveCore() {
  if (has_core_.load(std::memory_order_relaxed)) return true;
  if (!cores_->Take()) return false;
  if (has_core_.exchange(true, std::memory_order_relaxed)) cores_->GiveBack();
  return true;
}

bool Spinner::WaitAwake(absl::FunctionRef<bool()> happened,
                        absl::Duration bound) {
  const int64_t shared_yield = absl::ToInt64Nanoseconds(Cores::kSharedYield);
  const int64_t long_yield = absl::ToInt64Nanoseconds(Cores::kLongYield);
  const int64_t wait = absl::ToInt64Nanoseconds(bound);
  int64_t now = cores_->Now();
  int64_t end = now + wait;
  bool crowded = false;
  while (now < end && !crowded) {
    const int64_t before = now;
    cores_->Yield();
    now = cores_->Now();
    const int64_t yield = now - before;
    if (yield > shared_yield) {
      if (cores_->MoveAway()) {
        now = cores_->Now();
        end = now + wait;
      } else if (yield > long_yield) {
        cores_->OnLongYield();
        crowded = true;
      }
    }
    for (int i = 0; i < kChecksPerYield; ++i) {
      if (happened()) return true;
      Pause();
    }
  }
  return false;
}

}  // namespace grpc_shm
