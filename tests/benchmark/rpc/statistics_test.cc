// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/statistics.h"

#include <gtest/gtest.h>

#include <vector>

namespace grpc_shm::bench {
namespace {

TEST(Statistics, PercentileIsAValueThatWasMeasured) {
  std::vector<double> values;
  for (int i = 100; i >= 1; --i) values.push_back(i);
  EXPECT_EQ(Percentile(0.50, &values), 50);
  EXPECT_EQ(Percentile(0.99, &values), 99);
  EXPECT_EQ(Percentile(1.00, &values), 100);
  EXPECT_EQ(Percentile(0.001, &values), 1);
}

TEST(Statistics, HighPercentileOfFewValuesIsTheLargest) {
  std::vector<double> values = {3, 9, 5};
  EXPECT_EQ(Percentile(0.99, &values), 9);
  EXPECT_EQ(Percentile(0.50, &values), 5);
}

TEST(Statistics, MedianOfAnEvenNumberLiesBetweenTheTwoInTheMiddle) {
  EXPECT_EQ(Median({7}), 7);
  EXPECT_EQ(Median({9, 1, 5}), 5);
  EXPECT_EQ(Median({9, 1, 5, 2}), 3.5);
}

}  // namespace
}  // namespace grpc_shm::bench
