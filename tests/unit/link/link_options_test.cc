// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/link_options.h"

#include <cstdint>
#include <limits>

#include "gtest/gtest.h"
#include "transport/ring/ring_layout.h"

namespace grpc_shm {
namespace {

constexpr size_t kKiB = 1024;

TEST(LinkOptions, AWantedRingIsRoundedUpToAPowerOfTwo) {
  LinkOptions options;
  options.min_ring_bytes = 64 * kKiB;
  options.max_ring_bytes = 1024 * kKiB;
  const struct {
    uint64_t wanted;
    size_t granted;
  } cases[] = {
      {1, 64 * kKiB},
      {64 * kKiB, 64 * kKiB},
      {64 * kKiB + 1, 128 * kKiB},
      {100 * kKiB, 128 * kKiB},
      {1024 * kKiB - 1, 1024 * kKiB},
      {1024 * kKiB, 1024 * kKiB},
      {1024 * kKiB + 1, 1024 * kKiB},
      {std::numeric_limits<uint64_t>::max(), 1024 * kKiB},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(GrantedRingBytes(options, c.wanted), c.granted) << c.wanted;
  }
}

TEST(LinkOptions, WhoWantsNothingGetsWhatTheServerWants) {
  LinkOptions options;
  options.ring_bytes = 512 * kKiB;
  options.window_bytes = 100000;
  EXPECT_EQ(GrantedRingBytes(options, 0), 512 * kKiB);
  EXPECT_EQ(GrantedWindowBytes(options, 0), 100000u);
}

TEST(LinkOptions, AMaximumThatIsNoPowerOfTwoIsNeverExceeded) {
  LinkOptions options;
  options.max_ring_bytes = 100 * kKiB;
  EXPECT_EQ(GrantedRingBytes(options, 1 << 30), 64 * kKiB);
  EXPECT_EQ(GrantedRingBytes(options, 70 * kKiB), 64 * kKiB);
}

TEST(LinkOptions, WhateverTheOptionsTheGrantIsARing) {
  const uint64_t values[] = {0,
                             1,
                             4096,
                             5000,
                             uint64_t{1} << 30,
                             (uint64_t{1} << 30) + 1,
                             uint64_t{1} << 63,
                             std::numeric_limits<uint64_t>::max()};
  for (uint64_t min : values) {
    for (uint64_t max : values) {
      for (uint64_t wanted : values) {
        LinkOptions options;
        options.ring_bytes = wanted;
        options.min_ring_bytes = min;
        options.max_ring_bytes = max;
        EXPECT_TRUE(IsValidRingCapacity(GrantedRingBytes(options, wanted)))
            << min << " " << max << " " << wanted;
      }
    }
  }
}

TEST(LinkOptions, AWantedWindowIsClamped) {
  LinkOptions options;
  options.min_window_bytes = 1000;
  options.max_window_bytes = 2000;
  EXPECT_EQ(GrantedWindowBytes(options, 1), 1000u);
  EXPECT_EQ(GrantedWindowBytes(options, 1500), 1500u);
  EXPECT_EQ(GrantedWindowBytes(options, 4000000000), 2000u);
  options.min_window_bytes = 0;
  options.max_window_bytes = 0;
  EXPECT_EQ(GrantedWindowBytes(options, 1500), 1u);
}

}  // namespace
}  // namespace grpc_shm
