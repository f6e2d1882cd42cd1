// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Measures remote calls over every transport in one run; see README.md beside
// this file.

#include <stdlib.h>

#include <algorithm>
#include <cstdio>
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
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "tests/benchmark/rpc/environment.h"
#include "tests/benchmark/rpc/host_time.h"
#include "tests/benchmark/rpc/report.h"
#include "tests/benchmark/rpc/scenarios.h"
#include "tests/benchmark/rpc/schedule.h"
#include "tests/benchmark/rpc/select.h"
#include "tests/benchmark/rpc/summary.h"
#include "tests/benchmark/rpc/temporary_directory.h"
#include "tests/benchmark/rpc/transports.h"
#include "tests/benchmark/rpc/worker.h"

ABSL_FLAG(std::string, json, "", "File to write the figures to.");
ABSL_FLAG(bool, quick, false,
          "Measure so briefly that all is over within a minute.");
ABSL_FLAG(std::vector<std::string>, transports, {},
          "Only these transports (comma-separated), but each in every scenario "
          "that it can do; default: all, in the scenarios that they are for.");
ABSL_FLAG(std::vector<std::string>, scenarios, {},
          "Only these scenarios (comma-separated); default: all.");
ABSL_FLAG(int, runs, 0,
          "How often everything is measured, for the medians; default: 5, with "
          "--quick 3.");

namespace grpc_shm::bench {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUnfit = 2;

absl::StatusOr<Plan> PlanFromFlags() {
  Plan plan;
  auto transports =
      Select(Transports(), absl::GetFlag(FLAGS_transports), "transport");
  if (!transports.ok()) return transports.status();
  auto scenarios =
      Select(Scenarios(), absl::GetFlag(FLAGS_scenarios), "scenario");
  if (!scenarios.ok()) return scenarios.status();
  plan.transports = *std::move(transports);
  plan.scenarios = *std::move(scenarios);
  plan.all_combinations = !absl::GetFlag(FLAGS_transports).empty();
  const int runs = absl::GetFlag(FLAGS_runs);
  if (runs < 0) return absl::InvalidArgumentError("--runs must be at least 1");
  if (absl::GetFlag(FLAGS_quick)) {
    plan.timing.warm_up = absl::Milliseconds(30);
    plan.timing.measure = absl::Milliseconds(150);
    plan.timing.min_calls = 3;
    plan.rounds = 3;
    plan.budget = absl::Seconds(40);
    plan.repeat_budget = absl::Seconds(5);
  }
  if (runs > 0) plan.rounds = runs;
  plan.idle_rounds = absl::GetFlag(FLAGS_quick) ? 1 : plan.rounds;
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

absl::StatusOr<Report> Measure(const Plan& plan, const std::string& directory,
                               bool* complete) {
  Report report;
  report.environment = DescribeEnvironment();
  report.quick = absl::GetFlag(FLAGS_quick);
  const absl::StatusOr<HostTime> start = HostTime::Now();
  if (!start.ok()) return start.status();
  const absl::Time started = absl::Now();
  Schedule schedule(plan, directory);
  schedule.Run();
  const absl::StatusOr<HostTime> end = HostTime::Now();
  if (!end.ok()) return end.status();
  const absl::Duration all_cores =
      (absl::Now() - started) * report.environment.cores;
  report.stolen_percent = StolenPercent(*start, *end);
  report.other_busy_percent = std::max(
      0.0, BusyPercent(*start, *end) -
               100 * absl::FDivDuration(schedule.CpuTime(), all_cores));
  Summarise(schedule.outcomes(), &report);
  for (const std::string& failure : schedule.failures())
    report.notes.push_back("FAILED " + failure);
  *complete = schedule.failures().empty();
  return report;
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
  const TemporaryDirectory directory;
  if (directory.path().empty()) {
    std::cerr << "no directory for sockets can be made; is $TMPDIR writable?\n";
    return kExitFailed;
  }
  // The servers' names and sockets are ours alone, and go with the directory.
  setenv("GRPC_SHM_DIR", directory.path().c_str(), 1);
  bool complete = false;
  const absl::StatusOr<Report> report =
      Measure(*plan, directory.path(), &complete);
  if (!report.ok()) {
    std::cerr << report.status() << "\n";
    return kExitFailed;
  }
  std::cout << ToTable(*report);
  if (!json_path.empty() &&
      !(std::ofstream(json_path) << ToJson(*report) << std::flush)) {
    std::cerr << "--json=" << json_path << " could not be written\n";
    return kExitFailed;
  }
  return complete ? kExitOk : kExitFailed;
}

int Main(int argc, char** argv) {
  if (const auto why = WhyBuildIsUnfit(); why.has_value()) {
    std::cerr << *why << "\n";
    return kExitUnfit;
  }
  if (argc > 1 && argv[1] == absl::string_view(kWorkerArgument))
    return RunWorker(kWorkerSocket);
  absl::SetProgramUsageMessage("Measures remote calls over every transport.");
  absl::ParseCommandLine(argc, argv);
  return Run();
}

}  // namespace
}  // namespace grpc_shm::bench

int main(int argc, char** argv) { return grpc_shm::bench::Main(argc, argv); }
