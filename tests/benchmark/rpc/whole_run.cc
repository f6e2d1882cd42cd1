// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/whole_run.h"

#include <sys/resource.h>

#include <algorithm>

#include "absl/time/clock.h"

namespace grpc_shm::bench {
namespace {

// Of this process and of its children, which have ended.
absl::Duration CpuTime() {
  absl::Duration total;
  for (int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage;
    if (getrusage(who, &usage) != 0) continue;
    total += absl::DurationFromTimeval(usage.ru_utime) +
             absl::DurationFromTimeval(usage.ru_stime);
  }
  return total;
}

}  // namespace

WholeRun::WholeRun()
    : host_(HostTime::Now()), time_(absl::Now()), cpu_(CpuTime()) {}

void WholeRun::Describe(Report* report) const {
  const absl::StatusOr<HostTime> host = HostTime::Now();
  if (!host_.ok() || !host.ok()) return;
  const absl::Duration all_cores =
      (absl::Now() - time_) * report->environment.cores;
  report->stolen_percent = StolenPercent(*host_, *host);
  report->other_busy_percent =
      std::max(0.0, BusyPercent(*host_, *host) -
                        100 * absl::FDivDuration(CpuTime() - cpu_, all_cores));
}

}  // namespace grpc_shm::bench
