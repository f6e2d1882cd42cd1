// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/figures.h"

#include <utility>

#include "tests/benchmark/rpc/statistics.h"

namespace grpc_shm::bench {

const std::vector<Figure>& Figures() {
  static const auto* const figures = new std::vector<Figure>{
      {"p50_us", &Measurement::has_p50_us, &Measurement::p50_us,
       &Medians::p50_us},
      {"p99_us", &Measurement::has_p99_us, &Measurement::p99_us,
       &Medians::p99_us},
      {"per_s", &Measurement::has_per_s, &Measurement::per_s, &Medians::per_s},
      {"mb_per_s", &Measurement::has_mb_per_s, &Measurement::mb_per_s,
       &Medians::mb_per_s},
      {"cpu_us_per_call", &Measurement::has_cpu_us_per_call,
       &Measurement::cpu_us_per_call, &Medians::cpu_us_per_call},
      {"idle_cpu_ms", &Measurement::has_idle_cpu_ms, &Measurement::idle_cpu_ms,
       &Medians::idle_cpu_ms},
      {"idle_client_cpu_ms", &Measurement::has_idle_client_cpu_ms,
       &Measurement::idle_client_cpu_ms, &Medians::idle_client_cpu_ms},
      {"idle_server_cpu_ms", &Measurement::has_idle_server_cpu_ms,
       &Measurement::idle_server_cpu_ms, &Medians::idle_server_cpu_ms},
      {"idle_own_switches", &Measurement::has_idle_own_switches,
       &Measurement::idle_own_switches, &Medians::idle_own_switches},
      {"beside_cpu_percent", &Measurement::has_beside_cpu_percent,
       &Measurement::beside_cpu_percent, &Medians::beside_cpu_percent},
      {"alone_p50_us", &Measurement::has_alone_p50_us,
       &Measurement::alone_p50_us, &Medians::alone_p50_us},
      {"ratio_to_alone", &Measurement::has_ratio_to_alone,
       &Measurement::ratio_to_alone, &Medians::ratio_to_alone},
  };
  return *figures;
}

std::optional<double> MedianOf(const Figure& figure,
                               const std::vector<Measurement>& rounds) {
  std::vector<double> values;
  for (const Measurement& round : rounds) {
    if ((round.*figure.has)()) values.push_back((round.*figure.get)());
  }
  if (values.empty()) return std::nullopt;
  return Median(std::move(values));
}

}  // namespace grpc_shm::bench
