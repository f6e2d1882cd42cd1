// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "tests/benchmark/rpc/busy_processes.h"
#include "tests/benchmark/rpc/scenarios.h"

namespace grpc_shm::bench {
namespace {

int BusyProcessCount() {
  return std::max(2, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

absl::StatusOr<Measurement> RunUnaryContended(const Cell& cell) {
  BusyProcesses beside;
  if (absl::Status status = beside.Start(BusyProcessCount()); !status.ok())
    return status;
  const absl::Duration used_before = beside.CpuTime();
  const absl::Time start = absl::Now();
  absl::StatusOr<Measurement> result = RunUnaryThreads(cell);
  if (!result.ok()) return result;
  const absl::Duration available =
      (absl::Now() - start) * static_cast<double>(beside.pids().size());
  result->set_beside_cpu_percent(
      100 * absl::FDivDuration(beside.CpuTime() - used_before, available));
  return result;
}

}  // namespace grpc_shm::bench
