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
// Sharing: the kernel often wakes a thread on the core of the one that wakes
// it, and leaves it there although another core has nothing to do (it moves
// threads at its ticks, and not those that have just run). Two that work for
// one another then take turns, and to wait awake only hinders. So one that
// finds its core in use several times in a millisecond while it waits moves to
// another, if it is a thread of our own. If it is no better there, or it comes
// back, the next move is a millisecond away, then two, and so on up to a
// second.
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

  // A yield that takes longer went to somebody else than who waits awake, too.
  static constexpr absl::Duration kSharedYield = absl::Microseconds(4);

  static constexpr absl::Duration kMinCrowded = absl::Milliseconds(10);
  static constexpr absl::Duration kMaxCrowded = absl::Seconds(1);
  static constexpr absl::Duration kMinStay = absl::Milliseconds(1);
  // So many of those within the time make for a move: two that meet now and
  // then do better on one core, which is awake.
  static constexpr int kSharedYieldsOfMove = 4;
  static constexpr absl::Duration kSharedWithin = absl::Milliseconds(1);
  static constexpr absl::Duration kMaxStay = absl::Seconds(1);
  static constexpr absl::Duration kMaxAway = absl::Milliseconds(100);

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

  // The calling thread is our own and may be moved between cores.
  static void LetThisThreadMove();

  // To be called when a yield took longer than kSharedYield. Whether the
  // calling thread is on another core now.
  bool MoveAway();

  // Has the calling thread, if it is on this core, work on others for the next
  // kMaxAway: somebody who works with it is there, and would share the core
  // with it while another one may have nothing to do. (Where cores have no
  // cache in common, Linux does not look for an idle one when it wakes a
  // thread.) While the cores are crowded none has: then to take turns on one
  // core, which nobody has to be driven from, is the quickest.
  void StayAwayFrom(int core) const;

  // Whether one more thread may wait awake: at most half of the cores do. To be
  // given back by the one who gets it.
  bool Take();
  void GiveBack();

  // Whether a yield took long a short while ago.
  bool crowded() const;

  // To be told of each yield that took longer than kLongYield.
  void OnLongYield();

 protected:
  // Moves the calling thread to another core that it may use; false if there is
  // none.
  virtual bool Move();

 private:
  // A time during which something is not done, that grows to twice what it was
  // each time that it has to begin anew soon after its end.
  class GrowingPause {
   public:
    GrowingPause(absl::Duration min, absl::Duration max)
        : min_(absl::ToInt64Nanoseconds(min)),
          max_(absl::ToInt64Nanoseconds(max)) {}

    bool never_begun() const {
      return until_.load(std::memory_order_relaxed) == 0;
    }
    bool IsOver(int64_t now) const {
      return now >= until_.load(std::memory_order_relaxed);
    }
    void Begin(int64_t now);

   private:
    const int64_t min_;
    const int64_t max_;
    std::atomic<int64_t> until_{0};
    std::atomic<int64_t> last_{0};  // how long it was
  };

  const int count_;
  std::atomic<int> taken_{0};
  GrowingPause crowded_{kMinCrowded, kMaxCrowded};
  GrowingPause stay_{kMinStay, kMaxStay};
  std::atomic<int64_t> shared_since_{0};
  std::atomic<int> shared_yields_{0};
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_CORES_H_
