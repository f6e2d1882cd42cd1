// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <array>
#include <atomic>
#include <memory>
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

namespace grpc_shm::bench::mailbox {
namespace {

constexpr size_t kMaxPairs = 16;
constexpr absl::Duration kPatience = absl::Seconds(20);
// The last message of each sender has one byte.
constexpr size_t kEndBytes = 1;

// What one process tells; nobody else writes to its cache lines.
struct alignas(128) Tally {
  // Messages sent, or received.
  std::atomic<uint64_t> count{0};
  // Of a receiver: the messages of each sender, and the sum of their sequence
  // numbers.
  std::array<uint64_t, kMaxPairs> counts{};
  std::array<uint64_t, kMaxPairs> sums{};
};

struct Shared {
  alignas(128) std::atomic<bool> stop{false};
  std::atomic<bool> failed{false};  // one of the processes
  std::array<Tally, kMaxPairs> senders;
  std::array<Tally, kMaxPairs> receivers;
};

MessagePattern PatternOf(const Cell& cell) {
  return MessagePattern(cell.size.max_message_bytes,
                        cell.touches_ends_only ? MessagePattern::Extent::kEnds
                                               : MessagePattern::Extent::kAll);
}

// Sends until it shall stop, at least `min_calls` messages, and then the end.
absl::Status SendAll(const Cell& cell, uint64_t sender, Shared* shared,
                     Crew::Gate* gate) {
  auto queue = cell.kind->open(cell.name, cell.size);
  if (!queue.ok()) return queue.status();
  const MessagePattern pattern = PatternOf(cell);
  Tally& tally = shared->senders[sender];
  MessageId id{sender, 0};
  gate->Pass();
  // Relaxed, and all other counts here: what is read while others work is only
  // a count; what must be exact is read when they have ended.
  while (!shared->stop.load(std::memory_order_relaxed) ||
         id.sequence < cell.timing.min_calls) {
    const absl::Status status = (*queue)->Send(
        pattern.bytes(), [&](char* data) { pattern.Write(id, data); });
    if (!status.ok()) return status;
    tally.count.store(++id.sequence, std::memory_order_relaxed);
  }
  return (*queue)->Send(kEndBytes, [](char* data) { *data = 0; });
}

// Receives until it gets an end. Each sender sends one, so the last receiver
// gets the last message.
absl::Status ReceiveAll(const Cell& cell, size_t receiver, Shared* shared,
                        Crew::Gate* gate) {
  auto queue = cell.kind->open(cell.name, cell.size);
  if (!queue.ok()) return queue.status();
  const MessagePattern pattern = PatternOf(cell);
  Tally& tally = shared->receivers[receiver];
  std::array<uint64_t, kMaxPairs> next{};
  bool ended = false;
  const auto read = [&](absl::string_view message) -> absl::Status {
    if (message.size() == kEndBytes) {
      ended = true;
      return absl::OkStatus();
    }
    const absl::StatusOr<MessageId> id = pattern.Read(message);
    if (!id.ok()) return id.status();
    if (id->sender >= kMaxPairs || id->sequence < next[id->sender])
      return absl::DataLossError("messages are not in order");
    next[id->sender] = id->sequence + 1;
    ++tally.counts[id->sender];
    tally.sums[id->sender] += id->sequence;
    return absl::OkStatus();
  };
  gate->Pass();
  uint64_t count = 0;
  while (true) {
    if (absl::Status status = (*queue)->Receive(read); !status.ok())
      return status;
    if (ended) return absl::OkStatus();
    tally.count.store(++count, std::memory_order_relaxed);
  }
}

// Whether each message has been received once.
absl::Status CheckAll(const Shared& shared) {
  for (size_t sender = 0; sender < kMaxPairs; ++sender) {
    const uint64_t sent = shared.senders[sender].count;
    uint64_t received = 0;
    uint64_t sum = 0;
    for (const Tally& tally : shared.receivers) {
      received += tally.counts[sender];
      sum += tally.sums[sender];
    }
    if (received != sent || sum != (sent == 0 ? 0 : sent * (sent - 1) / 2)) {
      return absl::DataLossError(absl::StrCat("sender ", sender, " sent ", sent,
                                              " messages, ", received,
                                              " were received"));
    }
  }
  return absl::OkStatus();
}

// What has happened until now.
struct Snapshot {
  absl::Time time;
  uint64_t received = 0;
  absl::Duration cpu;
};

Snapshot Look(const Shared& shared, const Crew& crew) {
  Snapshot snapshot;
  for (pid_t pid : crew.pids())
    snapshot.cpu += CpuTimeOf(pid).value_or(absl::ZeroDuration());
  for (const Tally& tally : shared.receivers)
    snapshot.received += tally.count.load(std::memory_order_relaxed);
  snapshot.time = absl::Now();
  return snapshot;
}

}  // namespace

absl::StatusOr<Measurement> RunMessages(const Cell& cell) {
  SharedMemory<Shared> shared;
  const CreatedQueue created(*cell.kind, cell.name, cell.size);
  if (!created.status().ok()) return created.status();
  const auto noted = [&shared](absl::Status status) {
    if (!status.ok()) shared->failed.store(true, std::memory_order_relaxed);
    return status;
  };
  Crew crew;
  absl::Status status;
  for (int pair = 0; pair < cell.pairs && status.ok(); ++pair) {
    status = crew.Add([&](Crew::Gate* gate) {
      return noted(ReceiveAll(cell, static_cast<size_t>(pair), &*shared, gate));
    });
    if (!status.ok()) break;
    status = crew.Add([&](Crew::Gate* gate) {
      return noted(SendAll(cell, static_cast<uint64_t>(pair), &*shared, gate));
    });
  }
  if (status.ok()) status = crew.AwaitReady();
  if (!status.ok()) return status;
  crew.Start();
  absl::SleepFor(cell.timing.warm_up);
  const Snapshot start = Look(*shared, crew);
  Snapshot end;
  do {  // longer, where other processes let these do nothing
    absl::SleepFor(cell.timing.measure);
    end = Look(*shared, crew);
  } while (end.received == start.received &&
           !shared->failed.load(std::memory_order_relaxed) &&
           end.time < start.time + kPatience);
  shared->stop.store(true, std::memory_order_relaxed);
  status = crew.Finish();
  if (status.ok()) status = CheckAll(*shared);
  if (!status.ok()) return status;

  const auto messages = static_cast<double>(end.received - start.received);
  const double seconds = absl::ToDoubleSeconds(end.time - start.time);
  Measurement result;
  result.set_samples(end.received - start.received);
  result.set_per_s(messages / seconds);
  if (!cell.touches_ends_only) {
    result.set_mb_per_s(messages *
                        static_cast<double>(cell.size.max_message_bytes) /
                        seconds / 1e6);
  }
  if (messages > 0) {
    result.set_cpu_us_per_call(absl::ToDoubleMicroseconds(end.cpu - start.cpu) /
                               messages);
  }
  return result;
}

}  // namespace grpc_shm::bench::mailbox
