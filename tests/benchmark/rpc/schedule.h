// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_SCHEDULE_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_SCHEDULE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/benchmark/rpc/measurement.pb.h"
#include "tests/benchmark/rpc/scenarios.h"
#include "tests/benchmark/rpc/transports.h"
#include "tests/benchmark/rpc/worker_process.h"

namespace grpc_shm::bench {

// How much is measured.
struct Plan {
  std::vector<const Transport*> transports;
  std::vector<const Scenario*> scenarios;
  // Every scenario over every transport that can do it, not only over those
  // that it takes by default.
  bool all_combinations = false;
  Timing timing;
  // How often everything is measured; what is reported is the median.
  int rounds = 5;
  // How many of those also measure the scenarios that take all transports at
  // once, which take long and have little noise.
  int idle_rounds = 5;
  // Nothing is measured a second time after that long. For machines that are
  // slow or busy.
  absl::Duration budget = absl::InfiniteDuration();
  // A scenario of one round is measured again when the host stole more than
  // this share of its time,
  double max_stolen_percent = 2;
  // at most this often,
  int max_repeats = 2;
  // and for at most this long in the whole run.
  absl::Duration repeat_budget = absl::Minutes(3);
};

// What one transport did in one scenario.
struct Outcome {
  const Scenario* scenario;
  const Transport* transport;
  std::vector<Measurement> rounds;
  // The rounds in which the host stole more than it may, also when repeated.
  int noisy_rounds = 0;
};

// Measures all transports in turns, so that whatever else the machine does hits
// all alike: in every round each scenario is measured over one transport after
// the other, each time beginning with another one. Progress and errors go to
// stderr.
class Schedule {
 public:
  // Starts the processes of every transport that is measured. `directory`: for
  // their sockets.
  Schedule(Plan plan, const std::string& directory);

  // Measures everything; afterwards outcomes() has it.
  void Run();

  // Scenario by scenario, in each transport by transport.
  const std::vector<Outcome>& outcomes() const { return outcomes_; }
  // What went wrong, one line each. A transport whose processes died or hang is
  // not measured any more.
  const std::vector<std::string>& failures() const { return failures_; }
  // Of all processes, this one included.
  absl::Duration CpuTime() const;

 private:
  // A transport of the plan, while it is running.
  struct Contestant {
    const Transport* transport;
    std::unique_ptr<TransportProcesses> processes;  // nullptr: it failed
    absl::Duration ended_cpu;  // of processes that are no more
  };
  // One scenario over all contestants, once.
  struct Attempt {
    double stolen_percent = 0;
    // Of each contestant; without a value where nothing was measured.
    std::vector<std::optional<Measurement>> measurements;
  };

  bool Measures(const Scenario& scenario, const Transport& transport) const;
  void RunScenario(const Scenario& scenario, int round);
  Attempt MeasureAll(const Scenario& scenario, int round);
  bool Begin(const Scenario& scenario, Contestant* contestant);
  std::optional<Measurement> End(const Scenario& scenario,
                                 Contestant* contestant);
  void Keep(const Scenario& scenario, const Attempt& attempt);
  // Notes a failure; with `gone` the contestant takes part no longer.
  void Fail(const std::string& what, const absl::Status& why, bool gone,
            Contestant* contestant);

  const Plan plan_;
  absl::Duration repeat_budget_;
  std::vector<Contestant> contestants_;
  std::vector<Outcome> outcomes_;
  std::vector<std::string> failures_;
};

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_SCHEDULE_H_
