// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/benchmark/mailbox/created_queue.h"
#include "tests/benchmark/mailbox/crew.h"
#include "tests/benchmark/mailbox/message_pattern.h"
#include "tests/benchmark/mailbox/scenarios.h"
#include "tests/benchmark/mailbox/shared_memory.h"
#include "tests/benchmark/rpc/process_usage.h"
#include "tests/benchmark/rpc/statistics.h"

namespace grpc_shm::bench::mailbox {
namespace {

constexpr uint64_t kMinWarmUpCalls = 2;
constexpr size_t kEndBytes = 1;

using Clock = std::chrono::steady_clock;

// What the client has measured.
struct Shared {
  std::atomic<pid_t> echo_pid{0};
  uint64_t samples = 0;
  double p50_us = 0;
  double p99_us = 0;
  double seconds = 0;  // of all round trips, without what is between them
  double cpu_us = 0;   // of both processes
};

// Where the two processes run.
enum class Placement {
  kAny,       // where the kernel puts them
  kApart,     // each on a core of its own
  kTogether,  // both on one
};

// Keeps the calling thread on one of the cores that it may use. OUT_OF_RANGE if
// it has fewer.
absl::Status StayOnCore(int number) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
    return absl::ErrnoToStatus(errno, "sched_getaffinity");
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed) || number-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    if (sched_setaffinity(0, sizeof(one), &one) != 0)
      return absl::ErrnoToStatus(errno, "sched_setaffinity");
    return absl::OkStatus();
  }
  return absl::OutOfRangeError("the processes have one core for both");
}

absl::Status Place(Placement placement, bool is_client) {
  if (placement == Placement::kAny) return absl::OkStatus();
  return StayOnCore(placement == Placement::kApart && is_client ? 1 : 0);
}

// A queue each way, as one process has them open.
struct Ends {
  std::unique_ptr<Queue> out;
  std::unique_ptr<Queue> in;
};

absl::StatusOr<Ends> Open(const Cell& cell, const std::string& out,
                          const std::string& in) {
  Ends ends;
  auto queue = cell.kind->open(out, cell.size);
  if (!queue.ok()) return queue.status();
  ends.out = *std::move(queue);
  queue = cell.kind->open(in, cell.size);
  if (!queue.ok()) return queue.status();
  ends.in = *std::move(queue);
  return ends;
}

// Sends back what it gets, made anew, until it gets the end.
absl::Status Echo(const Cell& cell, Ends* ends) {
  const MessagePattern pattern(cell.size.max_message_bytes);
  while (true) {
    bool ended = false;
    MessageId id;
    absl::Status status = ends->in->Receive([&](absl::string_view message) {
      ended = message.size() == kEndBytes;
      if (ended) return absl::OkStatus();
      const absl::StatusOr<MessageId> read = pattern.Read(message);
      if (read.ok()) id = *read;
      return read.status();
    });
    if (!status.ok() || ended) return status;
    status = ends->out->Send(pattern.bytes(),
                             [&](char* data) { pattern.Write(id, data); });
    if (!status.ok()) return status;
  }
}

// The other side of Echo().
class Client {
 public:
  Client(const Cell& cell, absl::Duration pause, Ends* ends)
      : cell_(cell),
        pause_(pause),
        ends_(ends),
        pattern_(cell.size.max_message_bytes) {}

  // Makes round trips for `time`, at least `min_calls`.
  absl::Status Repeat(absl::Duration time, uint64_t min_calls) {
    latencies_us_.clear();
    const Clock::time_point end =
        Clock::now() + absl::ToChronoNanoseconds(time);
    while (latencies_us_.size() < min_calls || Clock::now() < end) {
      if (absl::Status status = Once(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status Measure(Shared* shared) {
    absl::Status status = Repeat(cell_.timing.warm_up, kMinWarmUpCalls);
    if (!status.ok()) return status;
    UsageMeter meter(shared->echo_pid);
    status = meter.Reset();
    if (status.ok())
      status = Repeat(cell_.timing.measure, cell_.timing.min_calls);
    if (!status.ok()) return status;
    const absl::StatusOr<UsageMeter::Usage> usage = meter.Read();
    if (!usage.ok()) return usage.status();
    shared->samples = latencies_us_.size();
    shared->seconds =
        std::accumulate(latencies_us_.begin(), latencies_us_.end(), 0.0) / 1e6;
    shared->p50_us = Percentile(0.50, &latencies_us_);
    shared->p99_us = Percentile(0.99, &latencies_us_);
    shared->cpu_us = absl::ToDoubleMicroseconds(usage->cpu());
    return ends_->out->Send(kEndBytes, [](char* data) { *data = 0; });
  }

 private:
  absl::Status Once() {
    if (pause_ > absl::ZeroDuration()) absl::SleepFor(pause_);
    ++id_.sequence;
    const Clock::time_point start = Clock::now();
    absl::Status status = ends_->out->Send(
        pattern_.bytes(), [&](char* data) { pattern_.Write(id_, data); });
    if (!status.ok()) return status;
    status = ends_->in->Receive([&](absl::string_view message) -> absl::Status {
      const absl::StatusOr<MessageId> id = pattern_.Read(message);
      if (!id.ok() || *id == id_) return id.status();
      return absl::DataLossError("another message came back");
    });
    latencies_us_.push_back(
        std::chrono::duration<double, std::micro>(Clock::now() - start)
            .count());
    return status;
  }

  const Cell& cell_;
  const absl::Duration pause_;
  Ends* const ends_;
  const MessagePattern pattern_;
  MessageId id_;
  std::vector<double> latencies_us_;
};

absl::StatusOr<Measurement> Run(const Cell& cell, absl::Duration pause,
                                Placement placement) {
  SharedMemory<Shared> shared;
  const CreatedQueue there(*cell.kind, cell.name + "-there", cell.size);
  if (!there.status().ok()) return there.status();
  const CreatedQueue back(*cell.kind, cell.name + "-back", cell.size);
  if (!back.status().ok()) return back.status();
  Crew crew;
  absl::Status status = crew.Add([&](Crew::Gate* gate) {
    shared->echo_pid = getpid();
    absl::StatusOr<Ends> ends = Open(cell, back.name(), there.name());
    if (!ends.ok()) return ends.status();
    const absl::Status placed = Place(placement, /*is_client=*/false);
    if (!placed.ok()) return placed;
    gate->Pass();
    return Echo(cell, &*ends);
  });
  if (!status.ok()) return status;
  status = crew.Add([&](Crew::Gate* gate) {
    absl::StatusOr<Ends> ends = Open(cell, there.name(), back.name());
    if (!ends.ok()) return ends.status();
    const absl::Status placed = Place(placement, /*is_client=*/true);
    if (!placed.ok()) return placed;
    Client client(cell, pause, &*ends);
    gate->Pass();
    return client.Measure(&*shared);
  });
  if (status.ok()) status = crew.AwaitReady();
  if (!status.ok()) return status;
  crew.Start();
  if (status = crew.Finish(); !status.ok()) return status;

  const auto samples = static_cast<double>(shared->samples);
  Measurement result;
  result.set_samples(shared->samples);
  result.set_p50_us(shared->p50_us);
  result.set_p99_us(shared->p99_us);
  result.set_per_s(samples / shared->seconds);
  result.set_cpu_us_per_call(shared->cpu_us / samples);
  return result;
}

}  // namespace

absl::StatusOr<Measurement> RunRoundTrip(const Cell& cell) {
  return Run(cell, absl::ZeroDuration(), Placement::kAny);
}

absl::StatusOr<Measurement> RunRoundTripApart(const Cell& cell) {
  return Run(cell, absl::ZeroDuration(), Placement::kApart);
}

absl::StatusOr<Measurement> RunRoundTripTogether(const Cell& cell) {
  return Run(cell, absl::ZeroDuration(), Placement::kTogether);
}

absl::StatusOr<Measurement> RunRoundTripSparse(const Cell& cell) {
  absl::StatusOr<Measurement> result =
      Run(cell, absl::Milliseconds(10), Placement::kAny);
  if (result.ok()) result->clear_per_s();  // the pauses decide it
  return result;
}

}  // namespace grpc_shm::bench::mailbox
