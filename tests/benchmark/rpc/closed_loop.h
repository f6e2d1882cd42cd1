// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_CLOSED_LOOP_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_CLOSED_LOOP_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/benchmark/rpc/measurement.pb.h"
#include "tests/benchmark/rpc/scenarios.h"

namespace grpc_shm::bench {

// What a closed loop repeats: one request and its answer. Used by one thread.
class Exchange {
 public:
  virtual ~Exchange() = default;
  // Makes request number `sequence`. Not timed.
  virtual void Prepare(uint64_t sequence) = 0;
  // Sends it and receives the answer. This is what is timed.
  virtual absl::Status Run() = 0;
  // Checks that the answer belongs to `sequence`. Not timed.
  virtual absl::Status Verify(uint64_t sequence) = 0;
  // Ends what was begun; after the last Run().
  virtual absl::Status Finish() { return absl::OkStatus(); }
};

// Repeats each exchange, on a thread of its own if there are several, first to
// warm up, then timed, as `cell.timing` says, with `pause` between two calls.
// Calls per second are those of a client that does nothing but call: with one
// exchange the time of Prepare(), Verify() and the pauses does not count; with
// several it does. CPU time is without that of Verify() where that is not
// negligible. The first error ends the loop.
absl::StatusOr<Measurement> RunClosedLoop(
    const Cell& cell, const std::vector<std::unique_ptr<Exchange>>& exchanges,
    absl::Duration pause = absl::ZeroDuration());

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_CLOSED_LOOP_H_
