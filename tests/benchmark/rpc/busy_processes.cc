// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/busy_processes.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "absl/status/statusor.h"
#include "tests/benchmark/rpc/process_usage.h"

namespace grpc_shm::bench {
namespace {

// A child that has used that much computes.
constexpr absl::Duration kComputes = absl::Milliseconds(1);

// The life of a child. The process may have had threads, of which the child has
// only this one: it takes no lock and allocates nothing.
[[noreturn]] void Compute(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);  // It died before it could be noticed.
  // A connection that its other end sees open although its owner is gone would
  // be a lie.
  close_range(0, ~0U, 0);
  volatile uint64_t value = 1;
  while (true) value = value * 6364136223846793005u + 1442695040888963407u;
}

}  // namespace

BusyProcesses::~BusyProcesses() {
  for (pid_t pid : pids_) kill(pid, SIGKILL);
  for (pid_t pid : pids_) {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

absl::Status BusyProcesses::Start(int count) {
  const pid_t parent = getpid();
  for (int started = 0; started < count; ++started) {
    const pid_t pid = fork();
    if (pid == 0) Compute(parent);
    if (pid < 0) return absl::ErrnoToStatus(errno, "starting a busy process");
    pids_.push_back(pid);
  }
  for (pid_t pid : pids_) {
    absl::StatusOr<absl::Duration> used = CpuTimeOf(pid);
    while (used.ok() && *used < kComputes) {
      sched_yield();
      used = CpuTimeOf(pid);
    }
    if (!used.ok()) return used.status();
  }
  return absl::OkStatus();
}

absl::Duration BusyProcesses::CpuTime() const {
  absl::Duration total;
  for (pid_t pid : pids_)
    total += CpuTimeOf(pid).value_or(absl::ZeroDuration());
  return total;
}

}  // namespace grpc_shm::bench
