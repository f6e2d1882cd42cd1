// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_SPINNER_H_
#define GRPC_SHM_TRANSPORT_LINK_SPINNER_H_

#include <atomic>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "transport/link/cores.h"

namespace grpc_shm {

// How to wait for something that is about to happen.
enum class SpinPolicy {
  // Never awake.
  kNever,
  // Awake for up to 50 us if that has been worth it lately, on at most half of
  // the process's cores at one time; longer where several threads share a core.
  kAdaptive,
  // Awake for up to 10 ms, whether that has been worth it or not. Each thread
  // that waits so takes a core that nobody else wants, whatever their number.
  kBusy,
};

// Waits awake, for a bounded time, for something that is about to happen: to be
// woken costs more than a short wait does.
//
// The adaptive policy learns whether waiting is worth it. Each wait that
// succeeds earns credit for some in vain: a peer that is held up now and then,
// by whatever else the machine does, is waited for as before. Without credit a
// wait in vain lets the next one go by, then two, four, and so on up to 64,
// until one succeeds. So a peer that takes a millisecond to answer soon costs
// nearly no spinning at all, and an idle one costs none.
//
// Several threads that wait for the same peer share one core, and wait the
// longer the more they are (up to eight times the bound): it takes so long
// until it is each one's turn, and to pass the core on costs a fraction of what
// waking does.
//
// Threads that could use the core get it (sched_yield). If they keep it for
// long, who yields waits longer than who sleeps: so nobody waits awake, by any
// policy, while the cores are crowded (see Cores), nor in a process that has
// but one core.
//
// Threads: any.
//
// Memory ordering: all relaxed. The members steer how long somebody waits;
// nothing is published through them.
class Spinner {
 public:
  // The longest wait. Adaptive: about what one wake-up of a sleeping thread
  // costs twice.
  static constexpr absl::Duration kBound = absl::Microseconds(50);
  static constexpr absl::Duration kBusyBound = absl::Milliseconds(10);

  explicit Spinner(SpinPolicy policy = SpinPolicy::kAdaptive,
                   Cores* cores = &Cores::OfThisProcess())
      : policy_(policy), cores_(cores) {}
  Spinner(const Spinner&) = delete;
  Spinner& operator=(const Spinner&) = delete;

  // Whether the policy ever has anybody wait awake, in such a process.
  bool MayWait() const {
    return policy_ != SpinPolicy::kNever && cores_->count() >= 2;
  }

  // Whether the next wait is worth it. Counts it as gone by if not.
  bool WorthIt();

  // Whether threads that wait for one another share a core if they all wait
  // awake: of those that this process may use, half of them are for waiting.
  bool SharesCore() const;

  // Until `happened`, for the policy's bound and `longer`; returns whether it
  // happened. `happened` is called every few nanoseconds, and once in any case.
  bool Wait(absl::FunctionRef<bool()> happened,
            absl::Duration longer = absl::ZeroDuration());

 private:
  bool HaveCore();
  bool WaitAwake(absl::FunctionRef<bool()> happened, absl::Duration bound);

  const SpinPolicy policy_;
  Cores* const cores_;
  std::atomic<uint32_t> credit_{0};
  std::atomic<uint32_t> to_skip_{0};
  std::atomic<uint32_t> next_skip_{1};
  std::atomic<int> waiting_{0};  // threads in an adaptive Wait()
  std::atomic<bool> has_core_{false};
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_SPINNER_H_
