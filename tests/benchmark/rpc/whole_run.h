// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_WHOLE_RUN_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_WHOLE_RUN_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/benchmark/rpc/host_time.h"
#include "tests/benchmark/rpc/report.h"

namespace grpc_shm::bench {

// What else the machine does during a run, from construction on: of a benchmark
// whose processes are this one and its children, which have ended and been
// waited for when it is over.
class WholeRun {
 public:
  WholeRun();

  // How much of the cores' time the host stole, and other processes took.
  void Describe(Report* report) const;

 private:
  const absl::StatusOr<HostTime> host_;
  const absl::Time time_;
  const absl::Duration cpu_;
};

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_WHOLE_RUN_H_
