// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <string>

#include "absl/time/clock.h"
#include "tests/benchmark/mailbox/created_queue.h"
#include "tests/benchmark/mailbox/crew.h"
#include "tests/benchmark/mailbox/scenarios.h"
#include "tests/benchmark/rpc/process_usage.h"

namespace grpc_shm::bench::mailbox {
namespace {

// By then who waits sleeps.
constexpr absl::Duration kSettle = absl::Milliseconds(500);
constexpr size_t kEndBytes = 1;

// What both processes have used.
absl::StatusOr<absl::Duration> CpuOf(const Crew& crew) {
  absl::Duration total;
  for (pid_t pid : crew.pids()) {
    const absl::StatusOr<absl::Duration> cpu = CpuTimeOf(pid);
    if (!cpu.ok()) return cpu.status();
    total += *cpu;
  }
  return total;
}

}  // namespace

absl::StatusOr<Measurement> RunIdle(const Cell& cell) {
  const CreatedQueue created(*cell.kind, cell.name, cell.size);
  if (!created.status().ok()) return created.status();
  Crew crew;
  // Waits all the time.
  absl::Status status = crew.Add([&](Crew::Gate* gate) {
    auto queue = cell.kind->open(cell.name, cell.size);
    if (!queue.ok()) return queue.status();
    gate->Pass();
    return (*queue)->Receive(
        [](absl::string_view) { return absl::OkStatus(); });
  });
  if (!status.ok()) return status;
  // Releases it in the end.
  const absl::Duration settle = std::min(kSettle, cell.timing.idle);
  status = crew.Add([&](Crew::Gate* gate) {
    auto queue = cell.kind->open(cell.name, cell.size);
    if (!queue.ok()) return queue.status();
    gate->Pass();
    absl::SleepFor(settle + cell.timing.idle + settle);
    return (*queue)->Send(kEndBytes, [](char* data) { *data = 0; });
  });
  if (status.ok()) status = crew.AwaitReady();
  if (!status.ok()) return status;
  crew.Start();
  absl::SleepFor(settle);
  const absl::StatusOr<absl::Duration> start = CpuOf(crew);
  if (!start.ok()) return start.status();
  absl::SleepFor(cell.timing.idle);
  const absl::StatusOr<absl::Duration> end = CpuOf(crew);
  if (!end.ok()) return end.status();
  if (status = crew.Finish(); !status.ok()) return status;
  Measurement result;
  result.set_samples(1);
  result.set_idle_cpu_ms(absl::ToDoubleMilliseconds(*end - *start));
  return result;
}

}  // namespace grpc_shm::bench::mailbox
