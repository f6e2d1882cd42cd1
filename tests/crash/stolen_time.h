// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_CRASH_STOLEN_TIME_H_
#define GRPC_SHM_TESTS_CRASH_STOLEN_TIME_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/benchmark/rpc/host_time.h"

namespace grpc_shm {
namespace testing {

// How long the host of a virtual machine has given its cores to others, since
// this was made and all cores together: so much later than on a machine of its
// own a process may be, through no fault of what is tested. Zero elsewhere.
class StolenTime {
 public:
  absl::Duration SoFar() const {
    return absl::Milliseconds(10) * static_cast<int64_t>(Ticks() - start_);
  }

 private:
  static uint64_t Ticks() {
    const absl::StatusOr<bench::HostTime> now = bench::HostTime::Now();
    return now.ok() ? now->stolen : 0;
  }

  uint64_t start_ = Ticks();
};

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_CRASH_STOLEN_TIME_H_
