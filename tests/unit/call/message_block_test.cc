// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/call/message_block.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace grpc_shm {
namespace {

constexpr size_t kLarge = size_t{1} << 20;

TEST(MessageBlock, IsAlignedAndItsOwn) {
  std::vector<std::byte*> blocks;
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{100},
                             MessageBlock::kMinKept, kLarge, 3 * kLarge}) {
    blocks.push_back(MessageBlock::Allocate(bytes));
    ASSERT_NE(blocks.back(), nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks.back()) % 16, 0);
    std::memset(blocks.back(), static_cast<int>(blocks.size()), bytes);
  }
  EXPECT_EQ(blocks[1][0], std::byte{2});
  EXPECT_EQ(blocks[4][kLarge - 1], std::byte{5});
  for (std::byte* const block : blocks) MessageBlock::Free(block);
  MessageBlock::Free(nullptr);
}

TEST(MessageBlock, ALargeOneIsUsedAgainForOneOfLikeSize) {
  std::byte* const block = MessageBlock::Allocate(kLarge - 100);
  MessageBlock::Free(block);
  EXPECT_EQ(MessageBlock::Allocate(kLarge - 1000), block);
  std::byte* const other = MessageBlock::Allocate(kLarge - 100);
  EXPECT_NE(other, block);
  MessageBlock::Free(block);
  MessageBlock::Free(other);
}

TEST(MessageBlock, AStringIsUsedAgainForOneOfLikeSize) {
  const absl::Time late = absl::Now() + absl::Seconds(20);
  while (MessageBlock::kept() > 0 && absl::Now() < late)
    absl::SleepFor(absl::Milliseconds(1));
  std::string string(kLarge, 'x');
  const char* const data = string.data();
  MessageBlock::KeepString(std::move(string));
  EXPECT_GE(MessageBlock::kept(), kLarge);
  EXPECT_LT(MessageBlock::TakeString(kLarge + 1).capacity(), kLarge);
  EXPECT_LT(MessageBlock::TakeString(kLarge / 8).capacity(), kLarge);
  const std::string taken = MessageBlock::TakeString(kLarge / 2);
  EXPECT_EQ(taken.data(), data);
  EXPECT_TRUE(taken.empty());
  EXPECT_EQ(MessageBlock::kept(), size_t{0});
  EXPECT_LT(MessageBlock::TakeString(kLarge).capacity(), kLarge);
}

TEST(MessageBlock, StringsThatAreKeptAreBounded) {
  for (int i = 0; i < 100; ++i)
    MessageBlock::KeepString(std::string(size_t{8} << 20, 'x'));
  EXPECT_LE(MessageBlock::kept(), MessageBlock::kMostKept);
  const size_t before = MessageBlock::kept();
  MessageBlock::KeepString("small");
  EXPECT_EQ(MessageBlock::kept(), before);
}

TEST(MessageBlock, WhatIsKeptIsBounded) {
  std::vector<std::byte*> blocks;
  for (int i = 0; i < 100; ++i)
    blocks.push_back(MessageBlock::Allocate(size_t{8} << 20));
  for (std::byte* const block : blocks) MessageBlock::Free(block);
  EXPECT_GT(MessageBlock::kept(), size_t{0});
  EXPECT_LE(MessageBlock::kept(), MessageBlock::kMostKept);
}

TEST(MessageBlock, ImpossibleSizesAreRefused) {
  EXPECT_EQ(MessageBlock::Allocate(SIZE_MAX), nullptr);
}

TEST(MessageBlock, IsFreedWhenNobodyHasUsedOneForSomeTime) {
  MessageBlock::Free(MessageBlock::Allocate(kLarge));
  const absl::Time begin = absl::Now();
  while (MessageBlock::kept() > 0 &&
         absl::Now() - begin < 10 * MessageBlock::kKeptFor)
    std::this_thread::yield();
  EXPECT_EQ(MessageBlock::kept(), size_t{0});
}

TEST(MessageBlock, ManyThreadsMayUseThem) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 1000; ++i) {
        std::byte* const block = MessageBlock::Allocate(MessageBlock::kMinKept);
        block[0] = block[1000] = std::byte(t);
        ASSERT_EQ(block[0], std::byte(t));
        MessageBlock::Free(block);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace grpc_shm
