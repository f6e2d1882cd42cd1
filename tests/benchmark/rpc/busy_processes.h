// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_BUSY_PROCESSES_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_BUSY_PROCESSES_H_

#include <sys/types.h>

#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace grpc_shm::bench {

// Processes that compute in a loop, so that whoever else wants a core competes
// for it. They are children of the thread that makes this and end with the
// object; when the thread or its process dies before, however it does, the
// kernel kills them. Thread-compatible.
class BusyProcesses {
 public:
  BusyProcesses() = default;
  ~BusyProcesses();
  BusyProcesses(const BusyProcesses&) = delete;
  BusyProcesses& operator=(const BusyProcesses&) = delete;

  // Starts `count` of them and returns when all compute.
  absl::Status Start(int count);

  // What they have used so far, together.
  absl::Duration CpuTime() const;
  const std::vector<pid_t>& pids() const { return pids_; }

 private:
  std::vector<pid_t> pids_;
};

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_BUSY_PROCESSES_H_
