// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/spinner.h"

#include <algorithm>

namespace grpc_shm {
namespace {

constexpr uint32_t kMaxSkip = 64;
constexpr int kChecksPerYield = 16;

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

  if (!cores_->Take()) return false;
  const bool found = WaitAwake(happened, std::min(bound, kBound));
  cores_->GiveBack();
  if (found) {
    next_skip_.store(1, std::memory_order_relaxed);
  } else {
    const uint32_t skip = next_skip_.load(std::memory_order_relaxed);
    to_skip_.store(skip, std::memory_order_relaxed);
    next_skip_.store(std::min(2 * skip, kMaxSkip), std::memory_order_relaxed);
  }
  return found;
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
