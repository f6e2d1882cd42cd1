// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_MAILBOX_SCENARIOS_H_
#define GRPC_SHM_TESTS_BENCHMARK_MAILBOX_SCENARIOS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/benchmark/mailbox/queue.h"
#include "tests/benchmark/rpc/measurement.pb.h"

namespace grpc_shm::bench::mailbox {

// How long to measure.
struct Timing {
  absl::Duration warm_up = absl::Milliseconds(100);
  absl::Duration measure = absl::Milliseconds(500);
  absl::Duration idle = absl::Seconds(1);
  // Round trips at least, past `measure`.
  uint64_t min_calls = 10;
};

// One measurement.
struct Cell {
  const QueueKind* kind = nullptr;
  // Queues are named so, and with a suffix.
  std::string name;
  QueueSize size;
  // So many senders, and as many receivers, each a process.
  int pairs = 1;
  // Whether the work on each message is the same for all sizes.
  bool touches_ends_only = false;
  Timing timing;
};

// A line of the benchmark.
struct Scenario {
  // The figures, or why there are none: DATA_LOSS for a message that is not
  // what it must be, OUT_OF_RANGE if the system does not allow such queues.
  using Run = absl::StatusOr<Measurement> (*)(const Cell&);

  absl::string_view name;
  Run run;
  size_t bytes;     // of a message
  size_t capacity;  // of a queue, in messages
  int pairs = 1;
  bool touches_ends_only = false;  // and is about messages in place alone
  bool at_rest = false;            // bytes and pairs mean nothing
};

// Whether `scenario` is measured with `kind`.
bool Takes(const Scenario& scenario, const QueueKind& kind);

// All scenarios, in the order in which they are run and shown.
const std::vector<Scenario>& Scenarios();

// `pairs` senders send as fast as they can, and as many receivers receive:
// messages per second, and CPU time of all for each.
absl::StatusOr<Measurement> RunMessages(const Cell& cell);
// One message goes back and forth between two processes through two queues:
// the latency of a round trip.
absl::StatusOr<Measurement> RunRoundTrip(const Cell& cell);
// The same with each process on a core of its own, and with both on one.
// OUT_OF_RANGE on a single core.
absl::StatusOr<Measurement> RunRoundTripApart(const Cell& cell);
absl::StatusOr<Measurement> RunRoundTripTogether(const Cell& cell);
// The first after 10 ms of idleness each.
absl::StatusOr<Measurement> RunRoundTripSparse(const Cell& cell);
// A process waits for a message and another has the queue open: what that costs
// while nothing happens.
absl::StatusOr<Measurement> RunIdle(const Cell& cell);

}  // namespace grpc_shm::bench::mailbox

#endif  // GRPC_SHM_TESTS_BENCHMARK_MAILBOX_SCENARIOS_H_
