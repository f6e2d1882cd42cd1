// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_CORES_H_
#define GRPC_SHM_TRANSPORT_LINK_CORES_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"

namespace grpc_shm {

// The cores that this process may use, and what its threads that wait awake
// need to know of each other.
//
// Crowding: a thread that yields a core to one that computes gets it back after
// a slice of some milliseconds, whereas one that sleeps is run soon after it is
// woken. (Linux 6.18 even takes the rest of its own slice from who yields.
// Two processes that hand a word back and forth beside four that compute, on
// two cores: 2.7 ms for one round trip with yielding, 26 us with sleeping.) So
// when a yield takes long, nobody waits awake for a while: 10 ms, and twice as
// long each time that it is no better afterwards, up to a second. That bounds
// the time lost to about a hundredth.
//
// Threads: any. The virtual functions are there for tests.
//
// Memory ordering: all relaxed. The members steer how long somebody waits;
// nothing is published through them.
class Cores {
 public:
  // A yield that takes longer went to somebody who had a use for a whole slice:
  // slices are not shorter than 700 us, short tasks are.
  static constexpr absl::Duration kLongYield = absl::Microseconds(500);

  static constexpr absl::Duration kMinCrowded = absl::Milliseconds(10);
  static constexpr absl::Duration kMaxCrowded = absl::Seconds(1);

  // Never destroyed. Its affinity is looked at once.
  static Cores& OfThisProcess();

  explicit Cores(int count) : count_(count) {}
  Cores(const Cores&) = delete;
  Cores& operator=(const Cores&) = delete;
  virtual ~Cores() = default;

  int count() const { return count_; }

  // Nanoseconds of MonotonicNanos.
  virtual int64_t Now() const;

  // Lets another thread run that waits for this core.
  virtual void Yield();

  // Whether one more thread may wait awake: at most half of the cores do. To be
  // given back by the one who gets it.
  bool Take();
  void GiveBack();

  // Whether a yield took long a short while ago.
  bool crowded() const;

  // To be told of each yield that took longer than kLongYield.
  void OnLongYield();

 private:
  const int count_;
  std::atomic<int> taken_{0};
  std::atomic<int64_t> crowded_until_{0};  // 0: it never was
  std::atomic<int64_t> crowded_for_{0};    // how long it was the last time
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_CORES_H_
