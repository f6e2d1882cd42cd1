// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/schedule.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "tests/benchmark/rpc/host_time.h"
#include "tests/benchmark/rpc/process_usage.h"

namespace grpc_shm::bench {
namespace {

// A measurement that takes this much longer than it should hangs.
constexpr absl::Duration kHangs = absl::Seconds(60);

std::string Describe(const Scenario& scenario) {
  return scenario.bytes.has_value()
             ? absl::StrCat(scenario.name, " of ", *scenario.bytes, " B")
             : std::string(scenario.name);
}

}  // namespace

Schedule::Schedule(Plan plan, const std::string& directory)
    : plan_(std::move(plan)), repeat_budget_(plan_.repeat_budget) {
  for (const Scenario* scenario : plan_.scenarios) {
    for (const Transport* transport : plan_.transports) {
      if (Measures(*scenario, *transport))
        outcomes_.push_back({scenario, transport, {}, 0});
    }
  }
  for (const Transport* transport : plan_.transports) {
    if (std::none_of(outcomes_.begin(), outcomes_.end(),
                     [transport](const Outcome& outcome) {
                       return outcome.transport == transport;
                     }))
      continue;
    contestants_.push_back({transport, nullptr, absl::ZeroDuration()});
    absl::StatusOr<TransportProcesses> processes =
        TransportProcesses::Start(*transport, directory);
    if (processes.ok()) {
      contestants_.back().processes =
          std::make_unique<TransportProcesses>(*std::move(processes));
    } else {
      Fail("start", processes.status(), /*gone=*/true, &contestants_.back());
    }
  }
}

bool Schedule::Measures(const Scenario& scenario,
                        const Transport& transport) const {
  return plan_.all_combinations ? Takes(scenario, transport)
                                : TakesByDefault(scenario, transport);
}

void Schedule::Run() {
  const absl::Time end = absl::Now() + plan_.budget;
  for (int round = 0; round < plan_.rounds; ++round) {
    absl::FPrintF(stderr, "round %d of %d\n", round + 1, plan_.rounds);
    for (const Scenario* scenario : plan_.scenarios) {
      if (round > 0 && absl::Now() > end) {
        absl::FPrintF(stderr, "no time is left for %s\n", Describe(*scenario));
      } else if (!scenario->at_once || round < plan_.idle_rounds) {
        RunScenario(*scenario, round);
      }
    }
  }
}

void Schedule::RunScenario(const Scenario& scenario, int round) {
  Attempt best = MeasureAll(scenario, round);
  for (int repeat = 0; repeat < plan_.max_repeats; ++repeat) {
    if (best.stolen_percent <= plan_.max_stolen_percent ||
        repeat_budget_ <= absl::ZeroDuration())
      break;
    absl::FPrintF(stderr, "%s: the host stole %.1f %% of the time: once more\n",
                  Describe(scenario), best.stolen_percent);
    const absl::Time start = absl::Now();
    Attempt attempt = MeasureAll(scenario, round);
    repeat_budget_ -= absl::Now() - start;
    if (attempt.stolen_percent < best.stolen_percent) best = std::move(attempt);
  }
  Keep(scenario, best);
}

Schedule::Attempt Schedule::MeasureAll(const Scenario& scenario, int round) {
  const absl::StatusOr<HostTime> start = HostTime::Now();
  Attempt attempt;
  attempt.measurements.resize(contestants_.size());
  std::vector<size_t> begun;
  for (size_t turn = 0; turn < contestants_.size(); ++turn) {
    const size_t index =
        (turn + static_cast<size_t>(round)) % contestants_.size();
    if (!Begin(scenario, &contestants_[index])) continue;
    if (scenario.at_once) {
      begun.push_back(index);
    } else {
      attempt.measurements[index] = End(scenario, &contestants_[index]);
    }
  }
  for (size_t index : begun)
    attempt.measurements[index] = End(scenario, &contestants_[index]);
  const absl::StatusOr<HostTime> end = HostTime::Now();
  if (start.ok() && end.ok())
    attempt.stolen_percent = StolenPercent(*start, *end);
  return attempt;
}

bool Schedule::Begin(const Scenario& scenario, Contestant* contestant) {
  if (contestant->processes == nullptr ||
      !Measures(scenario, *contestant->transport))
    return false;
  CellRequest request;
  request.set_scenario(static_cast<uint32_t>(&scenario - Scenarios().data()));
  request.set_warm_up_ns(absl::ToInt64Nanoseconds(plan_.timing.warm_up));
  request.set_measure_ns(absl::ToInt64Nanoseconds(plan_.timing.measure));
  request.set_idle_ns(absl::ToInt64Nanoseconds(plan_.timing.idle));
  request.set_min_calls(plan_.timing.min_calls);
  request.set_idle_links(plan_.timing.idle_links);
  const absl::Status status = contestant->processes->client().Send(request);
  if (!status.ok()) Fail(Describe(scenario), status, /*gone=*/true, contestant);
  return status.ok();
}

std::optional<Measurement> Schedule::End(const Scenario& scenario,
                                         Contestant* contestant) {
  const absl::Duration expected =
      scenario.at_once ? plan_.timing.idle
                       : plan_.timing.warm_up + plan_.timing.measure;
  bool alive = true;
  absl::StatusOr<Measurement> measurement =
      contestant->processes->client().Receive(expected + kHangs, &alive);
  if (measurement.ok()) return *std::move(measurement);
  Fail(Describe(scenario), measurement.status(), !alive, contestant);
  return std::nullopt;
}

void Schedule::Keep(const Scenario& scenario, const Attempt& attempt) {
  const bool noisy = attempt.stolen_percent > plan_.max_stolen_percent;
  for (Outcome& outcome : outcomes_) {
    if (outcome.scenario != &scenario) continue;
    for (size_t index = 0; index < contestants_.size(); ++index) {
      if (contestants_[index].transport != outcome.transport ||
          !attempt.measurements[index].has_value())
        continue;
      outcome.rounds.push_back(*attempt.measurements[index]);
      if (noisy) ++outcome.noisy_rounds;
    }
  }
}

void Schedule::Fail(const std::string& what, const absl::Status& why, bool gone,
                    Contestant* contestant) {
  failures_.push_back(absl::StrCat(contestant->transport->name, ", ", what,
                                   ": ", why.ToString(),
                                   gone ? "; not measured any more" : ""));
  absl::FPrintF(stderr, "FAILED %s\n", failures_.back());
  if (!gone || contestant->processes == nullptr) return;
  contestant->ended_cpu = contestant->processes->CpuTime();
  contestant->processes = nullptr;
}

absl::Duration Schedule::CpuTime() const {
  absl::Duration total = CpuTimeOf(getpid()).value_or(absl::ZeroDuration());
  for (const Contestant& contestant : contestants_) {
    total += contestant.processes == nullptr ? contestant.ended_cpu
                                             : contestant.processes->CpuTime();
  }
  return total;
}

}  // namespace grpc_shm::bench
