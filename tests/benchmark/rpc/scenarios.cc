// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/scenarios.h"

namespace grpc_shm::bench {
namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;

Scenario Unary(size_t bytes) {
  Scenario scenario{"unary", "sync", bytes, 1, RunUnary};
  scenario.has_floor = true;
  return scenario;
}

Scenario Idle() {
  Scenario scenario{"idle", "sync", std::nullopt, std::nullopt, RunIdle};
  scenario.at_once = true;
  return scenario;
}

}  // namespace

const std::vector<Scenario>& Scenarios() {
  static const auto* const scenarios = new std::vector<Scenario>{
      Unary(0),
      Unary(kKiB),
      Unary(64 * kKiB),
      Unary(kMiB),
      Unary(16 * kMiB),
      {"unary_sparse", "sync", 0, 1, RunUnarySparse},
      {"unary_threads", "sync", 64, 8, RunUnaryThreads},
      {"unary_async", "async", 64, 1, RunUnaryAsync},
      {"stream_pingpong", "sync", 64, 1, RunStreamPingPong},
      {"stream_down", "sync", 64, 1, RunStreamDown},
      {"stream_down", "sync", kMiB, 1, RunStreamDown},
      Idle(),
  };
  return *scenarios;
}

}  // namespace grpc_shm::bench
