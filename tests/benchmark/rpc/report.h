// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_REPORT_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/benchmark/rpc/environment.h"
#include "tests/benchmark/rpc/figures.h"
#include "tests/benchmark/rpc/measurement.pb.h"

namespace grpc_shm::bench {

// One line of the result: a transport in a scenario, medians over the rounds.
// What does not apply has no value.
struct Row : Medians {
  std::string scenario;
  std::string transport;
  std::string api;
  std::optional<int64_t> bytes;
  std::optional<int64_t> threads;
  // What each median is one of.
  std::vector<Measurement> rounds;
  // Those in which the host stole too much time: marked in the table.
  int noisy_rounds = 0;
};

// The whole result of a run.
struct Report {
  Environment environment;
  int rounds = 0;  // measured of each scenario, or fewer where time ran out
  bool quick = false;
  double stolen_percent = 0;  // of all cores' time during the run
  double other_busy_percent =
      0;  // the same, used by processes that are not the benchmark's
  // The transport whose figures the table compares the others' to.
  std::string reference;
  std::vector<Row> rows;
  // What a reader must know: marked rows, failures, and details of single
  // scenarios.
  std::vector<std::string> notes;
};

// For people: the environment, a table in which each figure stands beside its
// ratio to the reference transport, and the notes.
std::string ToTable(const Report& report);

// For programs: {"environment": {...}, "rows": [...]}. Each row has the medians
// and, as "rounds", the figures of every round.
std::string ToJson(const Report& report);

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_REPORT_H_
