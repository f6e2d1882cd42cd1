// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/payload.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_format.h"

namespace grpc_shm::bench {
namespace {

// One step of the SplitMix64 generator (Steele, Lea, Flood: "Fast Splittable
// Pseudorandom Number Generators", 2014).
uint64_t Mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

uint64_t StampOf(uint64_t sequence, size_t block) {
  return Mix(sequence ^ Mix(block));
}

}  // namespace

PayloadPattern::PayloadPattern(size_t bytes) : pattern_(bytes, '\0') {
  for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
    const uint64_t value = Mix(at);
    std::memcpy(&pattern_[at], &value, std::min(sizeof(value), bytes - at));
  }
}

void PayloadPattern::Write(uint64_t sequence, std::string* data) const {
  if (data->size() != pattern_.size()) *data = pattern_;
  for (size_t at = 0; at < data->size(); at += kBlockBytes) {
    const uint64_t stamp = StampOf(sequence, at / kBlockBytes);
    std::memcpy(&(*data)[at], &stamp,
                std::min(sizeof(stamp), data->size() - at));
  }
}

absl::Status PayloadPattern::Verify(uint64_t sequence,
                                    absl::string_view data) const {
  if (data.size() != pattern_.size()) {
    return absl::DataLossError(
        absl::StrFormat("message %d has %d bytes instead of %d", sequence,
                        data.size(), pattern_.size()));
  }
  for (size_t at = 0; at < data.size(); at += kBlockBytes) {
    const uint64_t stamp = StampOf(sequence, at / kBlockBytes);
    const size_t stamp_bytes = std::min(sizeof(stamp), data.size() - at);
    const size_t rest = std::min(kBlockBytes, data.size() - at) - stamp_bytes;
    const size_t after = at + stamp_bytes;
    if (std::memcmp(&data[at], &stamp, stamp_bytes) != 0 ||
        (rest > 0 && std::memcmp(&data[after], &pattern_[after], rest) != 0)) {
      return absl::DataLossError(absl::StrFormat(
          "message %d of %d bytes is wrong in the block at byte %d", sequence,
          data.size(), at));
    }
  }
  return absl::OkStatus();
}

}  // namespace grpc_shm::bench
