// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_PACE_H_
#define GRPC_SHM_TRANSPORT_GRPC_PACE_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace grpc_shm {

// Whether a method's handlers have been quick lately: over before another
// thread could have been woken. One that was not has to be followed by some
// that were: two, then four, and so on up to 64. But one in five may take
// somewhat longer: its thread was held up, by whatever else the machine does.
//
// Threads: any. Memory ordering: all relaxed. The members steer who reads while
// a handler runs; nothing is published through them, and a count that is lost
// to another thread's matters to nobody.
class Pace {
 public:
  // About what it costs to wake a thread.
  static constexpr int64_t kQuickNanos = 20'000;
  // Who takes longer was not merely held up.
  static constexpr int64_t kHeldUpNanos = 500'000;

  // Nothing is known of a method at first.
  bool IsQuick() const {
    return to_prove_.load(std::memory_order_relaxed) == 0;
  }

  // A handler took `nanos`.
  void Took(int64_t nanos) {
    const int to_prove = to_prove_.load(std::memory_order_relaxed);
    const int credit = credit_.load(std::memory_order_relaxed);
    if (nanos > kQuickNanos && nanos <= kHeldUpNanos &&
        credit >= kCostOfHeldUp) {
      credit_.store(credit - kCostOfHeldUp, std::memory_order_relaxed);
    } else if (nanos > kQuickNanos) {
      const int next = next_.load(std::memory_order_relaxed);
      to_prove_.store(next, std::memory_order_relaxed);
      next_.store(std::min(2 * next, kMaxToProve), std::memory_order_relaxed);
      in_a_row_.store(0, std::memory_order_relaxed);
      credit_.store(0, std::memory_order_relaxed);
    } else {
      credit_.store(std::min(credit + 1, kMaxCredit),
                    std::memory_order_relaxed);
      if (to_prove > 0) {
        to_prove_.store(to_prove - 1, std::memory_order_relaxed);
      } else {
        const int in_a_row = in_a_row_.load(std::memory_order_relaxed);
        in_a_row_.store(in_a_row + 1 < kForgiven ? in_a_row + 1 : 0,
                        std::memory_order_relaxed);
        if (in_a_row + 1 == kForgiven)
          next_.store(2, std::memory_order_relaxed);
      }
    }
  }

 private:
  static constexpr int kMaxToProve = 64;
  // So many quick ones in a row, and the past is forgotten.
  static constexpr int kForgiven = 64;
  static constexpr int kCostOfHeldUp = 4;
  static constexpr int kMaxCredit = 16;

  std::atomic<int> to_prove_{2};
  std::atomic<int> next_{2};
  std::atomic<int> in_a_row_{0};
  std::atomic<int> credit_{0};
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_PACE_H_
