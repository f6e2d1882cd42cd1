// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/spinner.h"

#include <algorithm>

namespace grpc_shm {
namespace {

constexpr uint32_t kMaxSkip = 64;
constexpr int kChecksPerYield = 16;
constexpr int kMaxTogether = 8;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

bool Spinner::WorthIt() {
  if (policy_ == SpinPolicy::kNever || cores_->count() < 2) return false;
  if (cores_->crowded()) return false;
  if (policy_ == SpinPolicy::kBusy) return true;
  const uint32_t skip = to_skip_.load(std::memory_order_relaxed);
  if (skip == 0) return true;
  to_skip_.store(skip - 1, std::memory_order_relaxed);
  return false;
}

bool Spinner::Wait(absl::FunctionRef<bool()> happened, absl::Duration bound) {
  if (happened()) return true;
  if (policy_ == SpinPolicy::kNever || cores_->count() < 2) return false;
  if (policy_ == SpinPolicy::kBusy)
    return WaitAwake(happened, std::min(bound, kBusyBound));

  const int together = waiting_.fetch_add(1, std::memory_order_relaxed) + 1;
  bool found = false;
  const bool allowed = HaveCore();
  if (allowed) {
    found = WaitAwake(
        happened, std::min(bound, kBound * std::min(together, kMaxTogether)));
  }
  if (waiting_.fetch_sub(1, std::memory_order_relaxed) == 1 &&
      has_core_.exchange(false, std::memory_order_relaxed))
    cores_->GiveBack();
  if (!allowed) return false;
  if (found) {
    next_skip_.store(1, std::memory_order_relaxed);
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
  const int64_t long_yield = absl::ToInt64Nanoseconds(Cores::kLongYield);
  int64_t now = cores_->Now();
  const int64_t end = now + absl::ToInt64Nanoseconds(bound);
  while (now < end) {
    cores_->Yield();
    bool found = false;
    for (int i = 0; i < kChecksPerYield && !(found = happened()); ++i) Pause();
    const int64_t before = now;
    now = cores_->Now();
    const bool crowded = now - before > long_yield;
    if (crowded) cores_->OnLongYield();
    if (found || crowded) return found;
  }
  return false;
}

}  // namespace grpc_shm
