// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/mailbox/scenarios.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace grpc_shm::bench::mailbox {
namespace {

// As little as makes each scenario do everything that it does; too little for
// figures.
Timing Brief() {
  Timing timing;
  timing.warm_up = absl::Milliseconds(1);
  timing.measure = absl::Milliseconds(20);
  timing.idle = absl::Milliseconds(1);
  timing.min_calls = 2;
  return timing;
}

absl::StatusOr<Measurement> RunOne(const Scenario& scenario,
                                   const QueueKind& kind) {
  Cell cell;
  cell.kind = &kind;
  cell.name = absl::StrCat("scenarios-test-", getpid());
  cell.size = {scenario.capacity, scenario.bytes};
  cell.pairs = scenario.pairs;
  cell.touches_ends_only = scenario.touches_ends_only;
  cell.timing = Brief();
  return scenario.run(cell);
}

// A queue that spoils messages on their way.
class Spoiler : public Queue {
 public:
  using Spoil = std::string (*)(absl::string_view message, int number);

  Spoiler(std::unique_ptr<Queue> queue, Spoil spoil)
      : queue_(std::move(queue)), spoil_(spoil) {}

  absl::Status Send(size_t bytes, Writer writer) override {
    return queue_->Send(bytes, writer);
  }
  absl::Status Receive(Reader reader) override {
    return queue_->Receive([&](absl::string_view message) {
      // What is not a message of the scenario passes.
      return reader(message.size() < 32 ? std::string(message)
                                        : spoil_(message, number_++));
    });
  }

 private:
  const std::unique_ptr<Queue> queue_;
  const Spoil spoil_;
  int number_ = 0;
};

template <Spoiler::Spoil spoil>
absl::StatusOr<std::unique_ptr<Queue>> OpenSpoiled(const std::string& name,
                                                   const QueueSize& size) {
  auto queue = BoostQueues().open(name, size);
  if (!queue.ok()) return queue.status();
  return std::make_unique<Spoiler>(*std::move(queue), spoil);
}

// boost's queue with the messages spoiled.
template <Spoiler::Spoil spoil>
QueueKind Spoiled() {
  QueueKind kind = BoostQueues();
  kind.open = OpenSpoiled<spoil>;
  return kind;
}

std::string ChangeAByte(absl::string_view message, int) {
  std::string spoiled(message);
  spoiled.back() ^= 1;
  return spoiled;
}

// Only for messages(): the same message again and again.
std::string RepeatTheFirst(absl::string_view message, int number) {
  static auto* const first = new std::string;
  if (number == 0) *first = std::string(message);
  return *first;
}

absl::Status Refuse(const std::string&, const QueueSize&) {
  return absl::OutOfRangeError("not here");
}

TEST(Scenarios, EachMeasuresWhatAppliesToIt) {
  for (const QueueKind& kind : {MailboxLoanQueues(), BoostQueues()}) {
    for (const Scenario& scenario : Scenarios()) {
      if (!Takes(scenario, kind)) continue;
      SCOPED_TRACE(absl::StrCat(scenario.name, " with ", kind.name));
      const auto result = RunOne(scenario, kind);
      if (scenario.run == RunRoundTripApart && !result.ok()) {
        EXPECT_EQ(result.status().code(), absl::StatusCode::kOutOfRange);
        EXPECT_EQ(std::thread::hardware_concurrency(), 1u);
        continue;
      }
      ASSERT_TRUE(result.ok()) << result.status();
      const bool round_trip = absl::StartsWith(scenario.name, "round_trip");
      EXPECT_GT(result->samples(), 0u);
      EXPECT_EQ(result->has_p50_us(), round_trip);
      EXPECT_EQ(result->has_p99_us(), round_trip);
      EXPECT_LE(result->p50_us(), result->p99_us());
      EXPECT_EQ(result->has_per_s(),
                !scenario.at_rest && scenario.run != RunRoundTripSparse);
      EXPECT_EQ(result->has_mb_per_s(),
                scenario.run == RunMessages && !scenario.touches_ends_only);
      EXPECT_EQ(result->has_cpu_us_per_call(), !scenario.at_rest);
      EXPECT_EQ(result->has_idle_cpu_ms(), scenario.at_rest);
    }
  }
}

TEST(Scenarios, NoneBelievesAMessageThatIsChanged) {
  for (const Scenario& scenario : Scenarios()) {
    if (scenario.at_rest) continue;
    SCOPED_TRACE(std::string(scenario.name));
    EXPECT_EQ(RunOne(scenario, Spoiled<ChangeAByte>()).status().code(),
              absl::StatusCode::kDataLoss);
  }
}

TEST(Scenarios, NoneBelievesAnOldMessage) {
  for (const Scenario& scenario : Scenarios()) {
    if (scenario.at_rest) continue;
    SCOPED_TRACE(std::string(scenario.name));
    EXPECT_EQ(RunOne(scenario, Spoiled<RepeatTheFirst>()).status().code(),
              absl::StatusCode::kDataLoss);
  }
}

TEST(Scenarios, EachTellsWhyThereIsNoQueue) {
  QueueKind none = BoostQueues();
  none.create = Refuse;
  for (const Scenario& scenario : Scenarios()) {
    EXPECT_EQ(RunOne(scenario, none).status(),
              absl::OutOfRangeError("not here"));
  }
}

}  // namespace
}  // namespace grpc_shm::bench::mailbox
