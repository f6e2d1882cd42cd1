// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/host_time.h"

#include <array>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace grpc_shm::bench {
namespace {

// The columns of the line "cpu" in /proc/stat, see proc(5). Guest time is part
// of user time already.
enum Column : size_t {
  kUser,
  kNice,
  kSystem,
  kIdle,
  kIoWait,
  kIrq,
  kSoftIrq,
  kSteal,
  kColumns
};

double PercentOf(uint64_t part, uint64_t whole) {
  return whole == 0
             ? 0
             : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

absl::StatusOr<HostTime> HostTime::Parse(absl::string_view proc_stat) {
  const absl::string_view line = proc_stat.substr(0, proc_stat.find('\n'));
  const std::vector<absl::string_view> words =
      absl::StrSplit(line, ' ', absl::SkipEmpty());
  if (words.size() <= kColumns || words[0] != "cpu") {
    return absl::InvalidArgumentError(
        "/proc/stat does not begin with a line \"cpu\" of eight numbers");
  }
  std::array<uint64_t, kColumns> ticks;
  for (size_t column = 0; column < kColumns; ++column) {
    if (!absl::SimpleAtoi(words[column + 1], &ticks[column])) {
      return absl::InvalidArgumentError(
          "/proc/stat has something other than numbers in its first line");
    }
  }
  HostTime time;
  time.stolen = ticks[kSteal];
  time.busy = ticks[kUser] + ticks[kNice] + ticks[kSystem] + ticks[kIrq] +
              ticks[kSoftIrq];
  time.total = time.busy + time.stolen + ticks[kIdle] + ticks[kIoWait];
  return time;
}

absl::StatusOr<HostTime> HostTime::Now() {
  std::ifstream file("/proc/stat");
  if (!file)
    return absl::UnavailableError(
        "/proc/stat can't be read; is /proc mounted?");
  return Parse(std::string(std::istreambuf_iterator<char>(file), {}));
}

double StolenPercent(const HostTime& start, const HostTime& end) {
  return PercentOf(end.stolen - start.stolen, end.total - start.total);
}

double BusyPercent(const HostTime& start, const HostTime& end) {
  return PercentOf(end.busy - start.busy, end.total - start.total);
}

}  // namespace grpc_shm::bench
