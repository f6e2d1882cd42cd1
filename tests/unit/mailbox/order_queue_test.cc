// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// The queue alone: its order, what a process leaves that dies between any two
// steps (painted by hand), and damage. All interleavings of the living are the
// model checker's (tests/model).

#include "transport/mailbox/order_queue.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace grpc_shm {
namespace {

using Result = OrderQueue::Result;

constexpr uint32_t kBlocks = 3;
constexpr size_t kCells = 4;
constexpr ParticipantToken kMe{1, 0};
constexpr ParticipantToken kDead{2, 0};

struct Memory {
  QueueControl control;
  std::atomic<uint64_t> cells[kCells] = {};
  BlockEntry entries[kBlocks];
};

struct TestQueue {
  // On the heap: with AddressSanitizer gcc 12 aligns what is on the stack to 32
  // bytes at most (GCC bug 110027).
  const std::unique_ptr<Memory> memory = std::make_unique<Memory>();
  QueueControl& control = memory->control;
  std::atomic<uint64_t> (&cells)[kCells] = memory->cells;
  BlockEntry (&entries)[kBlocks] = memory->entries;
  OrderQueue queue{&control, cells,   kCells,
                   entries,  kBlocks, BlockKind::kPosted};

  BlockState State(uint32_t block) const {
    return BlockState::Unpack(entries[block].state.load());
  }
  void SetState(uint32_t block, BlockState state) {
    entries[block].state = state.Pack();
  }
  // The number of the block that comes next; -1: none, -2: damage.
  int Take() {
    uint32_t block = 99;
    switch (queue.Take(BlockKind::kTaken, kMe, &block)) {
      case Result::kDone:
        return static_cast<int>(block);
      case Result::kEmpty:
        return -1;
      case Result::kDamaged:
        break;
    }
    return -2;
  }
};

TEST(OrderQueue, IsFirstInFirstOut) {
  TestQueue test;
  EXPECT_TRUE(test.queue.Empty());
  EXPECT_EQ(test.Take(), -1);
  for (uint32_t block : {2, 0, 1}) {
    EXPECT_EQ(test.queue.Put(block, kMe), Result::kDone);
  }
  EXPECT_FALSE(test.queue.Empty());
  EXPECT_EQ(test.Take(), 2);
  EXPECT_EQ(test.Take(), 0);
  EXPECT_EQ(test.Take(), 1);
  EXPECT_EQ(test.Take(), -1);
  EXPECT_TRUE(test.queue.Empty());
}

TEST(OrderQueue, GoesRoundAnyNumberOfTimes) {
  TestQueue test;
  for (uint32_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(test.queue.Put(i % kBlocks, kMe), Result::kDone);
    if (i % 2 == 1) {
      ASSERT_EQ(test.Take(), static_cast<int>((i - 1) % kBlocks));
      ASSERT_EQ(test.Take(), static_cast<int>(i % kBlocks));
      ASSERT_EQ(test.Take(), -1);
    }
  }
  EXPECT_EQ(test.queue.puts(), 1000u);
  EXPECT_EQ(test.queue.takes(), 1000u);
}

TEST(OrderQueue, ATakenBlockIsTheTakersAndKeepsItsPosition) {
  TestQueue test;
  ASSERT_EQ(test.queue.Put(0, kMe), Result::kDone);
  ASSERT_EQ(test.queue.Put(1, kMe), Result::kDone);
  ASSERT_EQ(test.Take(), 0);
  ASSERT_EQ(test.Take(), 1);
  EXPECT_EQ(test.State(1).kind, BlockKind::kTaken);
  EXPECT_EQ(test.State(1).owner, kMe);
  EXPECT_EQ(test.State(1).position, 1u);
}

// ---- Deaths ----

TEST(OrderQueue, APutThatHasOnlySetTheStateIsNotIn) {
  TestQueue test;
  const BlockState state{BlockKind::kPosted, kDead, 0};
  test.SetState(0, state);
  EXPECT_FALSE(test.queue.Holds(0, state));
  EXPECT_TRUE(test.queue.Empty());
  EXPECT_EQ(test.Take(), -1);
  // Somebody else gets the place.
  ASSERT_EQ(test.queue.Put(1, kMe), Result::kDone);
  EXPECT_FALSE(test.queue.Holds(0, state));
  EXPECT_TRUE(test.queue.Holds(1, test.State(1)));
  EXPECT_EQ(test.Take(), 1);
  EXPECT_EQ(test.Take(), -1);
}

TEST(OrderQueue, APutThatHasNotMovedTheTailIsIn) {
  TestQueue test;
  ASSERT_EQ(test.queue.Put(0, kDead), Result::kDone);
  test.control.tail = 0;  // as if it had not got so far
  EXPECT_TRUE(test.queue.Holds(0, test.State(0)));
  ASSERT_EQ(test.queue.Put(1, kMe), Result::kDone);
  EXPECT_EQ(test.control.tail, 2u);
  EXPECT_EQ(test.Take(), 0);
  EXPECT_EQ(test.Take(), 1);
}

TEST(OrderQueue, ATakeThatHasOnlySetTheStateIsOut) {
  TestQueue test;
  ASSERT_EQ(test.queue.Put(0, kMe), Result::kDone);
  ASSERT_EQ(test.queue.Put(1, kMe), Result::kDone);
  const BlockState posted = test.State(0);
  test.SetState(0, {BlockKind::kTaken, kDead, 0});
  EXPECT_EQ(test.Take(), 1);
  EXPECT_EQ(test.Take(), -1);
  EXPECT_FALSE(test.queue.Holds(0, posted));
  EXPECT_EQ(test.control.head, 2u);
}

TEST(OrderQueue, ATakeThatHasNotMovedTheHeadIsOut) {
  TestQueue test;
  ASSERT_EQ(test.queue.Put(0, kMe), Result::kDone);
  ASSERT_EQ(test.queue.Put(1, kMe), Result::kDone);
  ASSERT_EQ(test.Take(), 0);
  test.control.head = 0;
  EXPECT_EQ(test.Take(), 1);
  EXPECT_EQ(test.control.head, 2u);
}

TEST(OrderQueue, WhatTheDeadLeftAtTheHeadDoesNotStopThoseWhoPut) {
  TestQueue test;
  for (uint32_t block : {0, 1, 2}) {
    ASSERT_EQ(test.queue.Put(block, kMe), Result::kDone);
  }
  // Takes the first and dies; it comes back by another way.
  test.SetState(0, {BlockKind::kTaken, kDead, 0});
  ASSERT_EQ(test.queue.Put(0, kMe), Result::kDone);
  test.SetState(1, {BlockKind::kTaken, kDead, 1});
  // Here the tail has come round to the head.
  ASSERT_EQ(test.queue.Put(1, kMe), Result::kDone);
  EXPECT_EQ(test.Take(), 2);
  EXPECT_EQ(test.Take(), 0);
  EXPECT_EQ(test.Take(), 1);
  EXPECT_EQ(test.Take(), -1);
}

// ---- Damage ----

TEST(OrderQueue, ABlockThatCannotBeIsDamage) {
  TestQueue test;
  ASSERT_EQ(test.queue.Put(0, kMe), Result::kDone);
  for (uint32_t block : {kBlocks, kBlocks + 1000000}) {
    test.cells[0] = Cell{0, block + 1}.Pack();
    EXPECT_EQ(test.Take(), -2);
  }
}

TEST(OrderQueue, ALapThatCannotBeIsDamage) {
  TestQueue test;
  test.cells[0] = Cell{7, 1}.Pack();
  EXPECT_EQ(test.Take(), -2);
  EXPECT_EQ(test.queue.Put(0, kMe), Result::kDamaged);
}

TEST(OrderQueue, MoreBlocksThanThereAreIsDamage) {
  TestQueue test;
  for (uint32_t i = 0; i < kCells; ++i) {
    test.cells[i] = Cell{0, 1}.Pack();
  }
  test.control.tail = kCells;
  test.SetState(0, {BlockKind::kPosted, kMe, 0});
  EXPECT_EQ(test.queue.Put(1, kMe), Result::kDamaged);
}

// ---- Threads: two producers, two consumers, each block a slot ----

TEST(OrderQueue, HandsEachBlockToOneAtATime) {
  constexpr int kRounds = 20000;
  TestQueue full;
  // The blocks that are free; the same entries, as in a mailbox.
  const auto free = std::make_unique<Memory>();
  OrderQueue free_blocks(&free->control, free->cells, kCells, full.entries,
                         kBlocks, BlockKind::kFree);
  for (uint32_t block = 0; block < kBlocks; ++block) {
    ASSERT_EQ(free_blocks.Put(block, kMe), Result::kDone);
  }
  uint64_t contents[kBlocks] = {};  // not atomic: TSan looks
  std::atomic<uint64_t> sum{0};
  std::vector<std::thread> threads;
  for (uint32_t producer = 0; producer < 2; ++producer) {
    threads.emplace_back([&, producer] {
      const ParticipantToken me{producer + 10, 0};
      for (uint64_t i = 1; i <= kRounds; ++i) {
        uint32_t block;
        while (free_blocks.Take(BlockKind::kClaimed, me, &block) !=
               Result::kDone) {
          std::this_thread::yield();
        }
        EXPECT_EQ(contents[block], 0u);
        contents[block] = i;
        EXPECT_EQ(full.queue.Put(block, me), Result::kDone);
      }
    });
  }
  for (uint32_t consumer = 0; consumer < 2; ++consumer) {
    threads.emplace_back([&, consumer] {
      const ParticipantToken me{consumer + 20, 0};
      for (int i = 0; i < kRounds; ++i) {
        uint32_t block;
        while (full.queue.Take(BlockKind::kTaken, me, &block) !=
               Result::kDone) {
          std::this_thread::yield();
        }
        EXPECT_NE(contents[block], 0u);
        sum += contents[block];
        contents[block] = 0;
        EXPECT_EQ(free_blocks.Put(block, me), Result::kDone);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum, uint64_t{kRounds} * (kRounds + 1));
}

}  // namespace
}  // namespace grpc_shm
