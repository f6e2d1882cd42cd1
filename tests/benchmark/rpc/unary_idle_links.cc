// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "tests/benchmark/rpc/closed_loop.h"
#include "tests/benchmark/rpc/idle_channels.h"
#include "tests/benchmark/rpc/scenarios.h"
#include "tests/benchmark/rpc/unary.h"

namespace grpc_shm::bench {
namespace {

// What connecting and closing leave to be done in the background is done by
// then.
constexpr absl::Duration kSettle = absl::Seconds(1);

// The most that a link takes in one of its processes, and what else there is.
constexpr uint64_t kDescriptorsPerLink = 3;
constexpr uint64_t kOtherDescriptors = 200;

// Both processes have the same limit. Without descriptors gRPC and we try again
// and again.
absl::Status CheckDescriptorLimit(int links) {
  const uint64_t needed =
      static_cast<uint64_t>(links) * kDescriptorsPerLink + kOtherDescriptors;
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
    return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "%d links take up to %d descriptors, but a process may have no more than "
      "%d; raise its hard limit (ulimit -Hn)",
      links, needed, limit.rlim_cur));
}

void Settle(const Cell& cell) {
  absl::SleepFor(std::min(kSettle, cell.timing.measure));
}

}  // namespace

absl::StatusOr<Measurement> RunUnaryIdleLinks(const Cell& cell) {
  if (absl::Status status = CheckDescriptorLimit(cell.timing.idle_links);
      !status.ok())
    return status;
  auto hot = cell.connect(BenchmarkChannelArguments());
  if (!hot.ok()) return hot.status();
  std::vector<std::unique_ptr<Exchange>> exchanges;
  exchanges.push_back(MakeUnaryExchange(cell, *hot));
  // Alone, beside the idle links, and alone again, on the one hot link, each
  // time as long in all: a machine that becomes steadily slower or faster makes
  // no difference.
  Cell half = cell;
  half.timing.measure = cell.timing.measure / 2;
  const auto before = RunClosedLoop(half, exchanges);
  if (!before.ok()) return before;

  absl::StatusOr<Channels> idle =
      MakeIdleChannels(cell, IdleChannelArguments(), cell.timing.idle_links);
  if (!idle.ok()) return idle.status();
  Settle(cell);
  absl::StatusOr<Measurement> result = RunClosedLoop(cell, exchanges);
  if (!result.ok()) return result;
  idle->clear();
  Settle(cell);

  const auto after = RunClosedLoop(half, exchanges);
  if (!after.ok()) return after;
  const double alone_p50_us = (before->p50_us() + after->p50_us()) / 2;
  result->set_alone_p50_us(alone_p50_us);
  result->set_ratio_to_alone(result->p50_us() / alone_p50_us);
  return result;
}

}  // namespace grpc_shm::bench
