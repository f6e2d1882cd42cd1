// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_MODEL_RELACY_ATOMICS_H_
#define GRPC_SHM_TESTS_MODEL_RELACY_ATOMICS_H_

// Include this last (and model_check.h before it): Relacy redefines new,
// delete, assert and the names of the memory orders as macros.

#include <atomic>
#include <relacy/relacy.hpp>

namespace grpc_shm {

// What a policy changes about the protocol, to show that the checker finds it.
enum class Weakness {
  kNone,
  // The sequentially consistent fences of one thread do nothing.
  kThread0WithoutFences,
  kThread1WithoutFences,
  // Indices are stored without release, or loaded without acquire.
  kRelaxedStores,
  kRelaxedLoads,
  // Taking the armed flag away always tells the waker that nobody slept.
  kForgetfulExchange,
  // A compare-and-swap that acquires and releases, or one that is sequentially
  // consistent, doesn't compare but always succeeds.
  kBlindAcqRelSwap,
  kBlindSeqCstSwap,
};

// The atomics policy (transport/ring/atomics.h) that runs on Relacy: each
// operation is a point where the checker may switch threads, and a load may
// return any value that the C++ memory model allows, not only the newest.
template <Weakness weakness>
struct RelacyAtomics {
  // std::memory_order_relaxed and others, which are macros by now.
  static constexpr auto kRelaxed = static_cast<std::memory_order>(0);
  static constexpr auto kAcqRel = static_cast<std::memory_order>(4);
  static constexpr auto kSeqCst = static_cast<std::memory_order>(5);

  template <class T>
  class Atomic {
   public:
    Atomic() : impl_(T{}) {}
    explicit Atomic(T value) : impl_(value) {}

    T load(std::memory_order order) const {
      if (weakness == Weakness::kRelaxedLoads) order = kRelaxed;
      return impl_.load(ToRelacy(order), RL_INFO);
    }
    void store(T value, std::memory_order order) {
      if (weakness == Weakness::kRelaxedStores) order = kRelaxed;
      impl_.store(value, ToRelacy(order), RL_INFO);
    }
    T exchange(T value, std::memory_order order) {
      const T old = impl_.exchange(value, ToRelacy(order), RL_INFO);
      return weakness == Weakness::kForgetfulExchange ? T{0} : old;
    }
    T fetch_add(T value, std::memory_order order) {
      return impl_.fetch_add(value, ToRelacy(order), RL_INFO);
    }
    bool compare_exchange_strong(T& expected, T desired,
                                 std::memory_order success,
                                 std::memory_order failure) {
      if (weakness == Weakness::kRelaxedStores) success = kRelaxed;
      if ((weakness == Weakness::kBlindAcqRelSwap && success == kAcqRel) ||
          (weakness == Weakness::kBlindSeqCstSwap && success == kSeqCst)) {
        impl_.exchange(desired, ToRelacy(success), RL_INFO);
        return true;
      }
      return impl_.compare_exchange_strong(expected, desired, ToRelacy(success),
                                           RL_INFO, ToRelacy(failure), RL_INFO);
    }

   private:
    rl::atomic<T> impl_;
  };

  static void Fence(std::memory_order order) {
    if (weakness == Weakness::kThread0WithoutFences && rl::thread_index() == 0)
      return;
    if (weakness == Weakness::kThread1WithoutFences && rl::thread_index() == 1)
      return;
    rl::atomic_thread_fence(ToRelacy(order), RL_INFO);
  }

  static void Reach(FaultPoint) {}

 private:
  // Both enumerations list the same orders in the same sequence.
  static rl::memory_order ToRelacy(std::memory_order order) {
    return static_cast<rl::memory_order>(order);
  }
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_MODEL_RELACY_ATOMICS_H_
