// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <string>
#include <vector>

#include "tests/benchmark/rpc/temporary_directory.h"
#include "tests/benchmark/rpc/worker.h"

namespace grpc_shm::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Plan BriefPlan(const std::vector<absl::string_view>& transports) {
  Plan plan;
  plan.timing.warm_up = absl::ZeroDuration();
  plan.timing.measure = absl::Milliseconds(1);
  plan.timing.idle = absl::Milliseconds(1);
  plan.timing.min_calls = 2;
  plan.timing.idle_links = 2;
  plan.all_combinations = true;
  plan.max_stolen_percent = 100;
  for (absl::string_view name : transports)
    plan.transports.push_back(FindTransport(name));
  for (const Scenario& scenario : Scenarios()) {
    if (scenario.bytes.value_or(0) <= 64) plan.scenarios.push_back(&scenario);
  }
  plan.rounds = 2;
  plan.idle_rounds = 1;
  return plan;
}

TEST(Schedule, MeasuresEverythingInEveryRound) {
  const Plan plan = BriefPlan({"unix", "inproc", "floor"});
  const TemporaryDirectory directory;
  Schedule schedule(plan, directory.path());
  schedule.Run();
  EXPECT_THAT(schedule.failures(), ElementsAre());
  // The floor can do two of the scenarios.
  EXPECT_EQ(schedule.outcomes().size(), plan.scenarios.size() * 2 + 2);
  for (const Outcome& outcome : schedule.outcomes()) {
    EXPECT_EQ(outcome.rounds.size(), outcome.scenario->at_once ? 1u : 2u)
        << outcome.scenario->name << " over " << outcome.transport->name;
    EXPECT_EQ(outcome.noisy_rounds, 0);
  }
  EXPECT_GT(schedule.CpuTime(), absl::ZeroDuration());
}

TEST(Schedule, AVariantTakesPartWhereItIsNamed) {
  Plan plan = BriefPlan({"inproc", "shm_never"});
  plan.all_combinations = false;
  plan.rounds = 1;
  const TemporaryDirectory directory;
  setenv("GRPC_SHM_DIR", directory.path().c_str(), 1);
  Schedule schedule(plan, directory.path());
  schedule.Run();
  EXPECT_THAT(schedule.failures(), ElementsAre());
  int variants = 0;
  for (const Outcome& outcome : schedule.outcomes()) {
    EXPECT_EQ(outcome.rounds.size(), 1u);
    if (outcome.transport->name == "inproc") continue;
    EXPECT_EQ(outcome.scenario->name, "unary_contended");
    ++variants;
  }
  EXPECT_EQ(variants, 2);
}

TEST(Schedule, StolenTimeIsMeasuredAgainAndThenMarked) {
  Plan plan = BriefPlan({"inproc"});
  plan.scenarios.resize(1);
  plan.max_stolen_percent = -1;  // Nothing is good enough.
  plan.max_repeats = 2;
  const TemporaryDirectory directory;
  Schedule schedule(plan, directory.path());
  schedule.Run();
  ASSERT_EQ(schedule.outcomes().size(), 1u);
  EXPECT_EQ(schedule.outcomes()[0].rounds.size(), 2u);
  EXPECT_EQ(schedule.outcomes()[0].noisy_rounds, 2);
}

TEST(Schedule, WithoutTimeLeftEverythingIsMeasuredOnce) {
  Plan plan = BriefPlan({"inproc"});
  plan.budget = absl::ZeroDuration();
  const TemporaryDirectory directory;
  Schedule schedule(plan, directory.path());
  schedule.Run();
  for (const Outcome& outcome : schedule.outcomes()) {
    EXPECT_EQ(outcome.rounds.size(), 1u);
  }
}

TEST(Schedule, ATransportThatCantStartLeavesTheOthers) {
  Schedule schedule(BriefPlan({"unix", "tcp"}), "/nonexistent");
  schedule.Run();
  EXPECT_THAT(schedule.failures(), ElementsAre(HasSubstr("unix, start")));
  for (const Outcome& outcome : schedule.outcomes()) {
    EXPECT_EQ(outcome.rounds.empty(), outcome.transport->name == "unix");
  }
}

TEST(TransportProcesses, ADeadServerIsAnErrorAndNotAHang) {
  const TemporaryDirectory directory;
  auto processes =
      TransportProcesses::Start(*FindTransport("unix"), directory.path());
  ASSERT_TRUE(processes.ok()) << processes.status();
  ASSERT_NE(processes->server(), nullptr);
  kill(processes->server()->pid(), SIGKILL);
  ASSERT_TRUE(processes->client().Send(CellRequest()).ok());
  bool alive = true;
  EXPECT_FALSE(processes->client().Receive(absl::Seconds(60), &alive).ok());
  EXPECT_TRUE(alive);
}

TEST(TransportProcesses, ADeadClientIsAnErrorAndNotAHang) {
  const TemporaryDirectory directory;
  auto processes =
      TransportProcesses::Start(*FindTransport("inproc"), directory.path());
  ASSERT_TRUE(processes.ok()) << processes.status();
  EXPECT_EQ(processes->server(), nullptr);
  kill(processes->client().pid(), SIGKILL);
  bool alive = true;
  EXPECT_FALSE(processes->client().Receive(absl::Seconds(60), &alive).ok());
  EXPECT_FALSE(alive);
}

}  // namespace
}  // namespace grpc_shm::bench

// Worker processes are this program again.
int main(int argc, char** argv) {
  using grpc_shm::bench::kWorkerArgument;
  using grpc_shm::bench::kWorkerSocket;
  if (argc > 1 && argv[1] == absl::string_view(kWorkerArgument))
    return grpc_shm::bench::RunWorker(kWorkerSocket);
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
