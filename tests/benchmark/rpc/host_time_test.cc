// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/host_time.h"

#include <gtest/gtest.h>

namespace grpc_shm::bench {
namespace {

TEST(HostTime, CountsEachColumnOfProcStatOnce) {
  // user nice system idle iowait irq softirq steal guest guest_nice; guest time
  // is part of user time.
  const auto time = HostTime::Parse(
      "cpu  100 20 30 400 50 6 7 80 9 9\ncpu0 1 2 3 4 5 6 7 8 9 9\n");
  ASSERT_TRUE(time.ok()) << time.status();
  EXPECT_EQ(time->busy, 100u + 20 + 30 + 6 + 7);
  EXPECT_EQ(time->stolen, 80u);
  EXPECT_EQ(time->total, 100u + 20 + 30 + 400 + 50 + 6 + 7 + 80);
}

TEST(HostTime, SharesAreOfTheTimeBetween) {
  const HostTime start = {50, 10, 1000};
  const HostTime end = {100, 14, 1200};
  EXPECT_DOUBLE_EQ(StolenPercent(start, end), 2.0);
  EXPECT_DOUBLE_EQ(BusyPercent(start, end), 25.0);
  EXPECT_DOUBLE_EQ(StolenPercent(end, end), 0.0);
}

TEST(HostTime, RefusesWhatIsNotProcStat) {
  EXPECT_FALSE(HostTime::Parse("").ok());
  EXPECT_FALSE(HostTime::Parse("cpu 1 2 3").ok());
  EXPECT_FALSE(HostTime::Parse("cpu0 1 2 3 4 5 6 7 8\n").ok());
  EXPECT_FALSE(HostTime::Parse("cpu 1 2 three 4 5 6 7 8\n").ok());
}

TEST(HostTime, ReadsThisMachine) {
  const auto now = HostTime::Now();
  ASSERT_TRUE(now.ok()) << now.status();
  EXPECT_GT(now->busy, 0u);
  EXPECT_GT(now->total, now->busy);
}

}  // namespace
}  // namespace grpc_shm::bench
