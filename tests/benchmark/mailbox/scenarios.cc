// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/mailbox/scenarios.h"

namespace grpc_shm::bench::mailbox {
namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;

// What Linux allows a POSIX queue by default.
constexpr size_t kShallow = 10;
constexpr size_t kDeep = 1000;

Scenario Messages(size_t bytes, size_t capacity, int pairs) {
  return {capacity == kDeep ? "messages_deep" : "messages", RunMessages, bytes,
          capacity, pairs};
}

Scenario InPlace(size_t bytes) {
  Scenario scenario{"in_place", RunMessages, bytes, kShallow};
  scenario.touches_ends_only = true;
  return scenario;
}

Scenario Idle() {
  Scenario scenario{"idle", RunIdle, 64, kShallow};
  scenario.at_rest = true;
  return scenario;
}

}  // namespace

bool Takes(const Scenario& scenario, const QueueKind& kind) {
  return !scenario.touches_ends_only || kind.api == "in place";
}

const std::vector<Scenario>& Scenarios() {
  static const auto* const scenarios = new std::vector<Scenario>{
      Messages(64, kShallow, 1),
      Messages(64, kShallow, 4),
      Messages(64, kDeep, 1),
      Messages(64, kDeep, 4),
      Messages(4 * kKiB, kShallow, 1),
      Messages(kMiB, kShallow, 1),
      {"round_trip", RunRoundTrip, 64, kShallow},
      {"round_trip_apart", RunRoundTripApart, 64, kShallow},
      {"round_trip_together", RunRoundTripTogether, 64, kShallow},
      {"round_trip_sparse", RunRoundTripSparse, 64, kShallow},
      InPlace(64),
      InPlace(64 * kKiB),
      InPlace(kMiB),
      InPlace(16 * kMiB),
      Idle(),
  };
  return *scenarios;
}

}  // namespace grpc_shm::bench::mailbox
