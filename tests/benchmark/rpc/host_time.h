// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_HOST_TIME_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_HOST_TIME_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace grpc_shm::bench {

// What this machine's cores did since it started, in the kernel's ticks (10 ms,
// added up over all cores).
struct HostTime {
  uint64_t busy = 0;  // any process of this machine, or the kernel
  uint64_t stolen =
      0;  // ready to run, but the host gave the core to another machine
  uint64_t total = 0;  // busy, stolen and idle

  // Reads /proc/stat. UNAVAILABLE when it can't be read.
  static absl::StatusOr<HostTime> Now();
  // Reads the text of /proc/stat. INVALID_ARGUMENT when it is not like that.
  static absl::StatusOr<HostTime> Parse(absl::string_view proc_stat);
};

// The percentage of all cores' time from `start` to `end` that the host stole.
double StolenPercent(const HostTime& start, const HostTime& end);

// The percentage of all cores' time from `start` to `end` in which they worked.
double BusyPercent(const HostTime& start, const HostTime& end);

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_HOST_TIME_H_
