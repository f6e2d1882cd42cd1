// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/mailbox/schedule.h"

#include <unistd.h>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/benchmark/rpc/host_time.h"

namespace grpc_shm::bench::mailbox {
namespace {

std::string Describe(const Scenario& scenario) {
  if (scenario.at_rest) return std::string(scenario.name);
  return absl::StrFormat("%s of %d B, %d+%d processes", scenario.name,
                         scenario.bytes, scenario.pairs, scenario.pairs);
}

class Measurer {
 public:
  explicit Measurer(const Plan& plan) : plan_(plan) {
    for (const Scenario* scenario : plan.scenarios) {
      for (const QueueKind* kind : plan.kinds) {
        if (Takes(*scenario, *kind))
          result_.outcomes.push_back({scenario, kind, {}, 0});
      }
    }
    out_.resize(result_.outcomes.size(), false);
  }

  Outcomes Run() {
    for (int round = 0; round < plan_.rounds; ++round) {
      absl::FPrintF(stderr, "round %d of %d\n", round + 1, plan_.rounds);
      for (size_t first = 0; first < result_.outcomes.size();) {
        size_t end = first;
        while (end < result_.outcomes.size() &&
               result_.outcomes[end].scenario ==
                   result_.outcomes[first].scenario)
          ++end;
        RunScenario(round, first, end);
        first = end;
      }
    }
    return std::move(result_);
  }

 private:
  // One scenario with all kinds, once.
  struct Attempt {
    double stolen_percent = 0;
    std::vector<std::optional<Measurement>> measurements;
  };

  // The outcomes from `first` to before `end` are the scenario's.
  void RunScenario(int round, size_t first, size_t end) {
    Attempt best = MeasureAll(round, first, end);
    for (int repeat = 0; repeat < plan_.max_repeats; ++repeat) {
      if (best.stolen_percent <= plan_.max_stolen_percent) break;
      absl::FPrintF(
          stderr, "%s: the host stole %.1f %% of the time: once more\n",
          Describe(*result_.outcomes[first].scenario), best.stolen_percent);
      Attempt attempt = MeasureAll(round, first, end);
      if (attempt.stolen_percent < best.stolen_percent)
        best = std::move(attempt);
    }
    for (size_t i = first; i < end; ++i) {
      if (!best.measurements[i - first].has_value()) continue;
      result_.outcomes[i].rounds.push_back(*best.measurements[i - first]);
      if (best.stolen_percent > plan_.max_stolen_percent)
        ++result_.outcomes[i].noisy_rounds;
    }
  }

  Attempt MeasureAll(int round, size_t first, size_t end) {
    const absl::StatusOr<HostTime> before = HostTime::Now();
    const size_t count = end - first;
    Attempt attempt;
    attempt.measurements.resize(count);
    for (size_t turn = 0; turn < count; ++turn) {
      const size_t index = (turn + static_cast<size_t>(round)) % count;
      attempt.measurements[index] = MeasureOne(first + index);
    }
    const absl::StatusOr<HostTime> after = HostTime::Now();
    if (before.ok() && after.ok())
      attempt.stolen_percent = StolenPercent(*before, *after);
    return attempt;
  }

  std::optional<Measurement> MeasureOne(size_t index) {
    if (out_[index]) return std::nullopt;
    const Scenario& scenario = *result_.outcomes[index].scenario;
    Cell cell;
    cell.kind = result_.outcomes[index].kind;
    cell.name = absl::StrCat("grpc-shm-benchmark-", getpid(), "-", ++queues_);
    cell.size = {scenario.capacity, scenario.bytes};
    cell.pairs = scenario.pairs;
    cell.touches_ends_only = scenario.touches_ends_only;
    cell.timing = plan_.timing;
    const absl::StatusOr<Measurement> measurement = scenario.run(cell);
    if (measurement.ok()) return *measurement;
    out_[index] = true;
    const bool not_allowed = absl::IsOutOfRange(measurement.status());
    (not_allowed ? result_.not_allowed : result_.failures)
        .push_back(absl::StrCat(cell.kind->name, ", ", Describe(scenario), ": ",
                                measurement.status().message()));
    if (!not_allowed)
      absl::FPrintF(stderr, "FAILED %s\n", result_.failures.back());
    return std::nullopt;
  }

  const Plan& plan_;
  Outcomes result_;
  std::vector<bool> out_;  // of the same index: not measured any more
  int queues_ = 0;
};

}  // namespace

Outcomes Measure(const Plan& plan) { return Measurer(plan).Run(); }

}  // namespace grpc_shm::bench::mailbox
