// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/call/fifo.h"

#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace grpc_shm {
namespace {

TEST(FifoTest, FirstInFirstOut) {
  Fifo<int, 2> fifo;
  EXPECT_TRUE(fifo.empty());
  for (int i = 0; i < 5; ++i) fifo.push_back(i);
  for (int i = 0; i < 5; ++i) {
    ASSERT_FALSE(fifo.empty());
    EXPECT_EQ(fifo.front(), i);
    fifo.pop_front();
  }
  EXPECT_TRUE(fifo.empty());
}

TEST(FifoTest, DoesAsADequeDoes) {
  std::mt19937 random(1);
  Fifo<int, 3> fifo;
  std::deque<int> expected;
  for (int i = 0; i < 100000; ++i) {
    // Grows for a while, and then shrinks.
    const bool push = random() % 100 < (i / 1000 % 2 == 0 ? 55u : 45u);
    if (push) {
      fifo.push_back(i);
      expected.push_back(i);
    } else if (!expected.empty()) {
      ASSERT_EQ(fifo.front(), expected.front());
      fifo.pop_front();
      expected.pop_front();
    }
    ASSERT_EQ(fifo.empty(), expected.empty());
    if (i % 100 == 0) {
      std::vector<int> seen;
      ASSERT_EQ(fifo.Find([&seen](int element) {
        seen.push_back(element);
        return false;
      }),
                nullptr);
      ASSERT_EQ(seen, std::vector<int>(expected.begin(), expected.end()));
    }
  }
}

TEST(FifoTest, WhatIsPoppedIsDestroyedAtOnce) {
  Fifo<std::shared_ptr<int>, 2> fifo;
  const auto value = std::make_shared<int>(1);
  for (int i = 0; i < 10; ++i) fifo.push_back(value);
  for (int left = 10; left > 0; --left) {
    EXPECT_EQ(value.use_count(), 1 + left);
    fifo.pop_front();
  }
  EXPECT_EQ(value.use_count(), 1);
}

TEST(FifoTest, ElementsStayWhereTheyAre) {
  Fifo<int, 2> fifo;
  for (int i = 0; i < 5; ++i) fifo.push_back(i);
  const int* const second = fifo.Find([](int each) { return each == 1; });
  const int* const last = fifo.Find([](int each) { return each == 4; });
  for (int i = 5; i < 500; ++i) fifo.push_back(i);
  fifo.pop_front();
  EXPECT_EQ(*second, 1);
  EXPECT_EQ(&fifo.front(), second);
  for (int i = 0; i < 3; ++i) fifo.pop_front();
  EXPECT_EQ(*last, 4);
  EXPECT_EQ(&fifo.front(), last);
}

TEST(FifoTest, ClearIsForGood) {
  Fifo<std::unique_ptr<int>, 2> fifo;
  for (int i = 0; i < 10; ++i) fifo.push_back(std::make_unique<int>(i));
  fifo.pop_front();
  fifo.clear();
  EXPECT_TRUE(fifo.empty());
  fifo.push_back(std::make_unique<int>(7));
  EXPECT_EQ(*fifo.front(), 7);
}

}  // namespace
}  // namespace grpc_shm
