// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <algorithm>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "tests/benchmark/rpc/idle_channels.h"
#include "tests/benchmark/rpc/process_usage.h"
#include "tests/benchmark/rpc/scenarios.h"

namespace grpc_shm::bench {
namespace {

constexpr int kChannels = 100;
// What connecting and earlier messages leave to be done in the background is
// done by then: memory that was kept for more messages is given back after one
// to two seconds.
constexpr absl::Duration kSettle = absl::Seconds(3);

}  // namespace

absl::StatusOr<Measurement> RunIdle(const Cell& cell) {
  grpc::ChannelArguments arguments = BenchmarkChannelArguments();
  // Else gRPC gives all channels to one address one connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const absl::StatusOr<Channels> channels =
      MakeIdleChannels(cell, arguments, kChannels);
  if (!channels.ok()) return channels.status();
  absl::SleepFor(std::min(kSettle, cell.timing.idle));

  UsageMeter meter(cell.server_pid);
  if (absl::Status status = meter.Reset(/*with_switches=*/true); !status.ok())
    return status;
  absl::SleepFor(cell.timing.idle);
  const absl::StatusOr<UsageMeter::Usage> usage =
      meter.Read(/*with_switches=*/true);
  if (!usage.ok()) return usage.status();

  Measurement result;
  result.set_samples(1);
  result.set_idle_cpu_ms(absl::ToDoubleMilliseconds(usage->cpu()));
  if (cell.server_pid != 0) {
    result.set_idle_client_cpu_ms(
        absl::ToDoubleMilliseconds(usage->client_cpu));
    result.set_idle_server_cpu_ms(
        absl::ToDoubleMilliseconds(usage->server_cpu));
  }
  if (usage->own_switches.has_value()) {
    result.set_idle_own_switches(static_cast<double>(*usage->own_switches));
  }
  return result;
}

}  // namespace grpc_shm::bench
