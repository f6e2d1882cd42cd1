// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/process_resources.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/test_server.h"

namespace grpc_shm {
namespace testing {
namespace {

int CountEntries(const std::string& directory) {
  int entries = 0;
  std::error_code error;
  for (auto at = std::filesystem::directory_iterator(directory, error);
       at != std::filesystem::directory_iterator(); at.increment(error)) {
    ++entries;
  }
  return entries;
}

}  // namespace

ProcessResources ResourcesOf(pid_t pid) {
  const std::string directory = absl::StrCat("/proc/", pid);
  ProcessResources resources;
  resources.descriptors = CountEntries(directory + "/fd");
  resources.threads = CountEntries(directory + "/task");
  std::ifstream maps(directory + "/maps");
  for (std::string line; std::getline(maps, line);) {
    if (absl::StrContains(line, "/memfd:")) ++resources.memfd_mappings;
  }
  return resources;
}

std::ostream& operator<<(std::ostream& out, const ProcessResources& resources) {
  return out << resources.descriptors << " descriptors, "
             << resources.memfd_mappings << " mappings of memfds, "
             << resources.threads << " threads";
}

bool Eventually(absl::FunctionRef<bool()> condition, absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

std::vector<std::string> LeftOf(const std::string& address) {
  const std::string name = address.substr(address.find(':') + 1);
  std::vector<std::string> left;
  for (const auto& entry :
       std::filesystem::directory_iterator(RendezvousDirectory())) {
    const std::string file = entry.path().filename();
    if (absl::StartsWith(file, name + ".") && file != name + ".lock") {
      left.push_back(file);
    }
  }
  return left;
}

}  // namespace testing
}  // namespace grpc_shm
