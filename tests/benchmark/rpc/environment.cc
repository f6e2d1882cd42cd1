// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/environment.h"

#include <grpcpp/grpcpp.h>
#include <sys/utsname.h>

#include <fstream>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace grpc_shm::bench {
namespace {

constexpr char kUnknown[] = "unknown";

std::string CpuModel() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!absl::StartsWith(line, "model name")) continue;
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (parts.size() == 2)
      return std::string(absl::StripAsciiWhitespace(parts[1]));
  }
  return kUnknown;
}

std::string Kernel() {
  utsname name;
  if (uname(&name) != 0) return kUnknown;
  return absl::StrCat(name.sysname, " ", name.release, " ", name.machine);
}

std::string LoadAverages() {
  std::ifstream file("/proc/loadavg");
  std::string line;
  if (!std::getline(file, line)) return kUnknown;
  std::vector<std::string> words = absl::StrSplit(line, ' ');
  words.resize(3);
  return absl::StrJoin(words, " ");
}

std::string Compiler() {
#if defined(__clang__)
  return absl::StrCat("clang ", __clang_version__);
#elif defined(__GNUC__)
  return absl::StrCat("gcc ", __VERSION__);
#else
  return kUnknown;
#endif
}

}  // namespace

Environment DescribeEnvironment() {
  Environment environment;
  environment.cpu = CpuModel();
  environment.cores = static_cast<int>(std::thread::hardware_concurrency());
  environment.kernel = Kernel();
  environment.grpc = grpc::Version();
  environment.compiler = Compiler();
  environment.date =
      absl::FormatTime(absl::RFC3339_sec, absl::Now(), absl::UTCTimeZone());
  environment.load = LoadAverages();
  return environment;
}

std::optional<std::string> WhyBuildIsUnfit(
    [[maybe_unused]] const std::string& benchmark) {
#if !defined(__OPTIMIZE__)
  return absl::StrCat(
      "this build is not optimised, its figures would mislead; build and run "
      "with -c opt: ./bazelw run -c opt ",
      benchmark);
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return absl::StrCat(
      "this build has a sanitizer in it, its figures would mislead; build and "
      "run with -c opt alone: ./bazelw run -c opt ",
      benchmark);
#else
  return std::nullopt;
#endif
}

}  // namespace grpc_shm::bench
