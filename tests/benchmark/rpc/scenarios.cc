// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/scenarios.h"

#include <algorithm>
#include <utility>

namespace grpc_shm::bench {
namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;

Scenario Unary(size_t bytes) {
  Scenario scenario{"unary", "sync", bytes, 1, RunUnary};
  scenario.floor = RunUnaryFloor;
  scenario.has_generic = true;
  return scenario;
}

Scenario UnarySparse() {
  Scenario scenario{"unary_sparse", "sync", 0, 1, RunUnarySparse};
  scenario.floor = RunUnarySparseFloor;
  scenario.has_generic = true;
  return scenario;
}

Scenario WithGeneric(Scenario scenario) {
  scenario.has_generic = true;
  return scenario;
}

Scenario Over(std::vector<absl::string_view> transports, Scenario scenario) {
  scenario.transports = std::move(transports);
  return scenario;
}

Scenario Idle() {
  Scenario scenario{"idle", "sync", std::nullopt, std::nullopt, RunIdle};
  scenario.at_once = true;
  return scenario;
}

}  // namespace

bool Takes(const Scenario& scenario, const Transport& transport) {
  if (transport.kind == Transport::Kind::kFloor)
    return scenario.floor != nullptr;
  return transport.client == Transport::Client::kGenerated ||
         scenario.has_generic;
}

bool TakesByDefault(const Scenario& scenario, const Transport& transport) {
  if (!Takes(scenario, transport)) return false;
  if (scenario.transports.empty()) return !transport.variant;
  return std::find(scenario.transports.begin(), scenario.transports.end(),
                   transport.name) != scenario.transports.end();
}

const std::vector<Scenario>& Scenarios() {
  static const auto* const scenarios = new std::vector<Scenario>{
      Unary(0),
      Unary(kKiB),
      Unary(64 * kKiB),
      Unary(kMiB),
      Unary(16 * kMiB),
      UnarySparse(),
      WithGeneric({"unary_threads", "sync", 64, 8, RunUnaryThreads}),
      WithGeneric({"unary_async", "async", 64, 1, RunUnaryAsync}),
      Over({"shm", "shm_never", "unix"},
           {"unary_contended", "sync", 0, 1, RunUnaryContended}),
      Over({"shm", "shm_never", "unix"},
           {"unary_contended", "sync", 64, 8, RunUnaryContended}),
      Over({"shm", "unix"},
           {"unary_idle_links", "sync", 0, 1, RunUnaryIdleLinks}),
      WithGeneric({"stream_pingpong", "sync", 64, 1, RunStreamPingPong}),
      {"stream_down", "sync", 64, 1, RunStreamDown},
      {"stream_down", "sync", kMiB, 1, RunStreamDown},
      Idle(),
  };
  return *scenarios;
}

}  // namespace grpc_shm::bench
