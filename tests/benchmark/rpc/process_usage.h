// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_PROCESS_USAGE_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_PROCESS_USAGE_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace grpc_shm::bench {

// The user and system time that process `pid` has used so far, of all its
// threads, also those that have ended. Read from the kernel's clock of that
// process, which counts nanoseconds where /proc/PID/stat counts ticks of 10 ms.
// NOT_FOUND when there is no such process.
absl::StatusOr<absl::Duration> CpuTimeOf(pid_t pid);

// How often the transport's own threads in process `pid` (those named
// "grpc-shm-...") have given up a core so far. std::nullopt when the process
// has no such thread.
std::optional<uint64_t> OwnContextSwitchesOf(pid_t pid);

// Counts what the client process (this one) and its server process use from
// construction on. Thread-compatible.
class UsageMeter {
 public:
  // `server_pid`: 0 when client and server are one process.
  explicit UsageMeter(pid_t server_pid);

  struct Usage {
    absl::Duration client_cpu;
    absl::Duration server_cpu;
    // Of both processes; see OwnContextSwitchesOf().
    std::optional<uint64_t> own_switches;

    absl::Duration cpu() const { return client_cpu + server_cpu; }
  };

  // NOT_FOUND when the server process is gone. `with_switches`: also read the
  // threads' context switches, which takes some hundred microseconds.
  absl::StatusOr<Usage> Read(bool with_switches = false) const;

  // Starts again from here.
  absl::Status Reset(bool with_switches = false);

 private:
  absl::StatusOr<Usage> Total(bool with_switches) const;

  pid_t server_pid_;
  Usage start_;
};

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_PROCESS_USAGE_H_
