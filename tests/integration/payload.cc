// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/payload.h"

#include <algorithm>
#include <cstring>

namespace grpc_shm {
namespace testing {
namespace {

uint64_t Word(uint64_t index, uint32_t seed) {
  return (index + 1) * 0x9e3779b97f4a7c15u ^ (seed + 1) * 0xc2b2ae3d27d4eb4fu;
}

}  // namespace

std::string MakePayload(size_t bytes, uint32_t seed) {
  std::string payload(bytes, '\0');
  for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
    const uint64_t word = Word(at, seed);
    std::memcpy(&payload[at], &word, std::min(sizeof(word), bytes - at));
  }
  return payload;
}

bool IsPayload(absl::string_view payload, size_t bytes, uint32_t seed) {
  if (payload.size() != bytes) return false;
  for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
    const uint64_t word = Word(at, seed);
    if (std::memcmp(payload.data() + at, &word,
                    std::min(sizeof(word), bytes - at)) != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace testing
}  // namespace grpc_shm
