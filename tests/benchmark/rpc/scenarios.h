// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_SCENARIOS_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_SCENARIOS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/benchmark/rpc/measurement.pb.h"
#include "tests/benchmark/rpc/transports.h"

namespace grpc_shm::bench {

// How long and how much to measure.
struct Timing {
  absl::Duration warm_up = absl::Milliseconds(200);
  absl::Duration measure = absl::Seconds(1);
  absl::Duration idle = absl::Seconds(5);
  // Measures on past `measure` until there are that many calls.
  uint64_t min_calls = 10;
  // What RunUnaryIdleLinks() has beside its hot link.
  int idle_links = 1000;
};

// One measurement, as a scenario is given it in the client process.
struct Cell {
  Connector connect;
  Transport::Client client = Transport::Client::kGenerated;
  pid_t server_pid = 0;  // 0: the server is in this process
  Timing timing;
  size_t bytes = 0;
  int threads = 1;
};

// A line of the benchmark: what is done over every transport.
struct Scenario {
  // Returns the figures, or why there are none: a call that failed, or
  // DATA_LOSS for a reply that is not what it must be.
  using Run = absl::StatusOr<Measurement> (*)(const Cell&);

  absl::string_view name;
  absl::string_view api;        // of the client: "sync" or "async"
  std::optional<size_t> bytes;  // of one message; not for idle
  std::optional<int> threads;   // of the client; not for idle
  Run run;
  Run floor = nullptr;       // the same for the transport "floor"; null: none
  bool has_generic = false;  // a client with grpc::GenericStub can do it
  bool at_once = false;      // measures processes that do nothing, so all
                             // transports are measured at the same time
  // The transports that it is about; empty: all but variants.
  std::vector<absl::string_view> transports = {};
};

// Whether `scenario` can be measured over `transport`,
bool Takes(const Scenario& scenario, const Transport& transport);
// and whether it is if nobody asks for it.
bool TakesByDefault(const Scenario& scenario, const Transport& transport);

// All scenarios, in the order in which they are run and shown.
const std::vector<Scenario>& Scenarios();

// One call outstanding: each call's latency.
absl::StatusOr<Measurement> RunUnary(const Cell& cell);
// The same after kSparsePause of idleness each.
inline constexpr absl::Duration kSparsePause = absl::Milliseconds(10);
absl::StatusOr<Measurement> RunUnarySparse(const Cell& cell);
// `cell.threads` threads with a call outstanding each, over one channel.
absl::StatusOr<Measurement> RunUnaryThreads(const Cell& cell);
// 64 calls outstanding, over one channel, on one completion queue that one
// thread serves.
absl::StatusOr<Measurement> RunUnaryAsync(const Cell& cell);
// One bidirectional stream on which one message is outstanding: each round
// trip's latency.
absl::StatusOr<Measurement> RunStreamPingPong(const Cell& cell);
// One stream of messages from the server, as fast as the client takes and
// verifies them.
absl::StatusOr<Measurement> RunStreamDown(const Cell& cell);
// RunUnaryThreads() beside two processes that compute all the time, or as many
// as there are cores: there are more runnable threads than cores.
absl::StatusOr<Measurement> RunUnaryContended(const Cell& cell);
// RunUnary() beside many connected channels of the same two processes on which
// nothing happens, compared to the same without them.
absl::StatusOr<Measurement> RunUnaryIdleLinks(const Cell& cell);
// 100 connected channels on which nothing happens: what that costs the
// processes.
absl::StatusOr<Measurement> RunIdle(const Cell& cell);
// RunUnary() for the transport "floor": an in-process call whose client and
// server are driven by one thread through completion queues: gRPC's own work
// for a call without any wake-up. `cell.connect` is not used.
absl::StatusOr<Measurement> RunUnaryFloor(const Cell& cell);
// The same for RunUnarySparse().
absl::StatusOr<Measurement> RunUnarySparseFloor(const Cell& cell);

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_SCENARIOS_H_
