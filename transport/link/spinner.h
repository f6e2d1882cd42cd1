// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_SPINNER_H_
#define GRPC_SHM_TRANSPORT_LINK_SPINNER_H_

#include <atomic>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"

namespace grpc_shm {

// Waits awake, for a bounded time, for something that is about to happen: to be
// woken costs more than a short wait does.
//
// It learns whether waiting is worth it: after a wait in vain it lets the next
// one go by, then two, four, and so on up to 64, until one succeeds. So a peer
// that takes a millisecond to answer soon costs nearly no spinning at all, and
// an idle one costs none. Threads that could use the core get it (sched_yield):
// under load a wait awake becomes a way to let others run. At most half of the
// process's cores wait awake at one time, and none if it has but one.
//
// Threads: any.
//
// Memory ordering: all relaxed. The members steer how long somebody waits;
// nothing is published through them.
class Spinner {
 public:
  // The longest wait: about what one wake-up of a sleeping thread costs twice.
  static constexpr absl::Duration kBound = absl::Microseconds(50);

  Spinner() = default;
  Spinner(const Spinner&) = delete;
  Spinner& operator=(const Spinner&) = delete;

  // Whether the next wait is worth it. Counts it as gone by if not.
  bool WorthIt();

  // Until `happened` or the bound; returns whether it happened. `happened` is
  // called every few nanoseconds.
  bool Wait(absl::FunctionRef<bool()> happened);

 private:
  std::atomic<uint32_t> to_skip_{0};
  std::atomic<uint32_t> next_skip_{1};
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_SPINNER_H_
