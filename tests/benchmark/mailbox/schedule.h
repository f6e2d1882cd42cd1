// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_MAILBOX_SCHEDULE_H_
#define GRPC_SHM_TESTS_BENCHMARK_MAILBOX_SCHEDULE_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/benchmark/mailbox/queue.h"
#include "tests/benchmark/mailbox/scenarios.h"
#include "tests/benchmark/rpc/measurement.pb.h"

namespace grpc_shm::bench::mailbox {

// How much is measured.
struct Plan {
  std::vector<const QueueKind*> kinds;
  std::vector<const Scenario*> scenarios;
  Timing timing;
  // How often everything is measured; what is reported is the median.
  int rounds = 5;
  // A scenario of one round is measured again when the host stole more than
  // this share of its time,
  double max_stolen_percent = 2;
  // at most this often.
  int max_repeats = 2;
};

// What one kind of queue did in one scenario.
struct Outcome {
  const Scenario* scenario;
  const QueueKind* kind;
  std::vector<Measurement> rounds;
  // The rounds in which the host stole more than it may, also when repeated.
  int noisy_rounds = 0;
};

// Everything that was measured.
struct Outcomes {
  // Scenario by scenario, in each kind by kind.
  std::vector<Outcome> outcomes;
  // What could not be measured because the system does not allow such a queue,
  // one line each,
  std::vector<std::string> not_allowed;
  // and what went wrong.
  std::vector<std::string> failures;
};

// Measures all kinds in turns, so that whatever else the machine does hits all
// alike: in every round each scenario is measured with one kind after the
// other, each time beginning with another one. What fails is not measured
// again. Progress and errors go to stderr.
Outcomes Measure(const Plan& plan);

}  // namespace grpc_shm::bench::mailbox

#endif  // GRPC_SHM_TESTS_BENCHMARK_MAILBOX_SCHEDULE_H_
