// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_FIGURES_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_FIGURES_H_

#include <optional>
#include <vector>

#include "tests/benchmark/rpc/measurement.pb.h"

namespace grpc_shm::bench {

// Each figure of a Measurement, over the rounds of a run; without a value where
// it does not apply.
struct Medians {
  std::optional<double> p50_us;
  std::optional<double> p99_us;
  std::optional<double> per_s;
  std::optional<double> mb_per_s;
  std::optional<double> cpu_us_per_call;
  std::optional<double> idle_cpu_ms;
  std::optional<double> idle_client_cpu_ms;
  std::optional<double> idle_server_cpu_ms;
  std::optional<double> idle_own_switches;
  std::optional<double> beside_cpu_percent;
  std::optional<double> alone_p50_us;
  std::optional<double> ratio_to_alone;
};

// One of them: its name, where it is in a Measurement and where in Medians.
struct Figure {
  const char* name;
  bool (Measurement::*has)() const;
  double (Measurement::*get)() const;
  std::optional<double> Medians::*median;
};

// All of them, in the order in which they are shown.
const std::vector<Figure>& Figures();

// The median over those rounds that have the figure.
std::optional<double> MedianOf(const Figure& figure,
                               const std::vector<Measurement>& rounds);

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_FIGURES_H_
