// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Measures mailboxes beside other queues between processes in one run; see
// README.md beside this file.

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/benchmark/mailbox/queue.h"
#include "tests/benchmark/mailbox/scenarios.h"
#include "tests/benchmark/mailbox/schedule.h"
#include "tests/benchmark/mailbox/summary.h"
#include "tests/benchmark/rpc/environment.h"
#include "tests/benchmark/rpc/report.h"
#include "tests/benchmark/rpc/select.h"
#include "tests/benchmark/rpc/whole_run.h"

ABSL_FLAG(std::string, json, "", "File to write the figures to.");
ABSL_FLAG(bool, quick, false,
          "Measure so briefly that all is over within a minute.");
ABSL_FLAG(std::vector<std::string>, queues, {},
          "Only these kinds of queues (comma-separated); default: all.");
ABSL_FLAG(std::vector<std::string>, scenarios, {},
          "Only these scenarios (comma-separated); default: all.");
ABSL_FLAG(int, runs, 0,
          "How often everything is measured, for the medians; default: 5, with "
          "--quick 3.");

namespace grpc_shm::bench::mailbox {
namespace {

constexpr char kLabel[] = "//tests/benchmark:mailbox_benchmark";
// What the table compares the others to.
constexpr char kReference[] = "boost";
constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUnfit = 2;

absl::StatusOr<Plan> PlanFromFlags() {
  Plan plan;
  auto kinds = Select(QueueKinds(), absl::GetFlag(FLAGS_queues), "queue");
  if (!kinds.ok()) return kinds.status();
  auto scenarios =
      Select(Scenarios(), absl::GetFlag(FLAGS_scenarios), "scenario");
  if (!scenarios.ok()) return scenarios.status();
  plan.kinds = *std::move(kinds);
  plan.scenarios = *std::move(scenarios);
  const int runs = absl::GetFlag(FLAGS_runs);
  if (runs < 0) return absl::InvalidArgumentError("--runs must be at least 1");
  if (absl::GetFlag(FLAGS_quick)) {
    plan.timing.warm_up = absl::Milliseconds(20);
    plan.timing.measure = absl::Milliseconds(100);
    plan.timing.idle = absl::Milliseconds(200);
    plan.timing.min_calls = 3;
    plan.rounds = 3;
    plan.max_repeats = 0;
  }
  if (runs > 0) plan.rounds = runs;
  return plan;
}

// Where `bazel run` was called, if that is how we run: paths are meant from
// there.
std::string FromCallersDirectory(const std::string& path) {
  const char* const directory = getenv("BUILD_WORKING_DIRECTORY");
  if (path.empty() || directory == nullptr) return path;
  return (std::filesystem::path(directory) / path).string();
}

// Fails before anything is measured if the figures could not be kept.
absl::Status CheckWritable(const std::string& path) {
  if (path.empty() || std::ofstream(path, std::ios::app))
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--json=", path, " can't be written"));
}

int Run() {
  const std::string json_path = FromCallersDirectory(absl::GetFlag(FLAGS_json));
  const absl::StatusOr<Plan> plan = PlanFromFlags();
  absl::Status status = plan.status();
  if (status.ok()) status = CheckWritable(json_path);
  if (!status.ok()) {
    std::cerr << status.message() << "\n";
    return kExitFailed;
  }
  Report report;
  report.environment = DescribeEnvironment();
  report.quick = absl::GetFlag(FLAGS_quick);
  report.reference = kReference;
  const WholeRun run;
  const Outcomes outcomes = Measure(*plan);
  run.Describe(&report);
  Summarise(outcomes, &report);
  std::cout << ToTable(report);
  if (!json_path.empty() &&
      !(std::ofstream(json_path) << ToJson(report) << std::flush)) {
    std::cerr << "--json=" << json_path << " could not be written\n";
    return kExitFailed;
  }
  return outcomes.failures.empty() ? kExitOk : kExitFailed;
}

int Main(int argc, char** argv) {
  if (const auto why = WhyBuildIsUnfit(kLabel); why.has_value()) {
    std::cerr << *why << "\n";
    return kExitUnfit;
  }
  absl::SetProgramUsageMessage(
      "Measures mailboxes beside other queues between processes.");
  absl::ParseCommandLine(argc, argv);
  return Run();
}

}  // namespace
}  // namespace grpc_shm::bench::mailbox

int main(int argc, char** argv) {
  return grpc_shm::bench::mailbox::Main(argc, argv);
}
