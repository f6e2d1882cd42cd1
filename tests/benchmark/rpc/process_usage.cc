// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/process_usage.h"

#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace grpc_shm::bench {
namespace {

constexpr absl::string_view kOwnThreadPrefix = "grpc-shm";

uint64_t ContextSwitchesIn(const std::filesystem::path& status_file) {
  std::ifstream file(status_file);
  uint64_t total = 0;
  for (std::string line; std::getline(file, line);) {
    absl::string_view rest = line;
    uint64_t count = 0;
    if ((absl::ConsumePrefix(&rest, "voluntary_ctxt_switches:") ||
         absl::ConsumePrefix(&rest, "nonvoluntary_ctxt_switches:")) &&
        absl::SimpleAtoi(rest, &count)) {
      total += count;
    }
  }
  return total;
}

}  // namespace

absl::StatusOr<absl::Duration> CpuTimeOf(pid_t pid) {
  clockid_t clock;
  timespec time;
  if (clock_getcpuclockid(pid, &clock) != 0 ||
      clock_gettime(clock, &time) != 0) {
    return absl::NotFoundError(absl::StrCat("there is no process ", pid));
  }
  return absl::DurationFromTimespec(time);
}

std::optional<uint64_t> OwnContextSwitchesOf(pid_t pid) {
  std::optional<uint64_t> total;
  std::error_code ignored;  // Threads may end while we look.
  const std::filesystem::path tasks = absl::StrCat("/proc/", pid, "/task");
  for (const auto& task : std::filesystem::directory_iterator(tasks, ignored)) {
    std::string name;
    std::ifstream comm(task.path() / "comm");
    if (!std::getline(comm, name) || !absl::StartsWith(name, kOwnThreadPrefix))
      continue;
    total = total.value_or(0) + ContextSwitchesIn(task.path() / "status");
  }
  return total;
}

UsageMeter::UsageMeter(pid_t server_pid) : server_pid_(server_pid) {}

absl::StatusOr<UsageMeter::Usage> UsageMeter::Total(bool with_switches) const {
  Usage usage;
  absl::StatusOr<absl::Duration> client = CpuTimeOf(getpid());
  if (!client.ok()) return client.status();
  usage.client_cpu = *client;
  if (with_switches) usage.own_switches = OwnContextSwitchesOf(getpid());
  if (server_pid_ == 0) return usage;

  absl::StatusOr<absl::Duration> server = CpuTimeOf(server_pid_);
  if (!server.ok()) return server.status();
  usage.server_cpu = *server;
  if (with_switches) {
    const std::optional<uint64_t> switches = OwnContextSwitchesOf(server_pid_);
    if (switches.has_value())
      usage.own_switches = usage.own_switches.value_or(0) + *switches;
  }
  return usage;
}

absl::Status UsageMeter::Reset(bool with_switches) {
  absl::StatusOr<Usage> now = Total(with_switches);
  if (now.ok()) start_ = *now;
  return now.status();
}

absl::StatusOr<UsageMeter::Usage> UsageMeter::Read(bool with_switches) const {
  absl::StatusOr<Usage> usage = Total(with_switches);
  if (!usage.ok()) return usage;
  usage->client_cpu -= start_.client_cpu;
  usage->server_cpu -= start_.server_cpu;
  if (usage->own_switches.has_value())
    *usage->own_switches -= start_.own_switches.value_or(0);
  return usage;
}

}  // namespace grpc_shm::bench
