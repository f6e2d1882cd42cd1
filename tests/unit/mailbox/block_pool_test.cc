// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/block_pool.h"

#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <vector>

#include "gtest/gtest.h"
#include "tests/unit/mailbox/made_parts.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"

namespace grpc_shm {
namespace {

using Result = BlockPool::Result;
using testing::MakeParts;

constexpr ParticipantToken kMe{0, 0};
constexpr uint64_t kMessageBytes = 100 * 1024;
constexpr uint64_t kPage = kMailboxPageBytes;

class BlockPoolTest : public ::testing::Test {
 protected:
  void Make(MailboxCapacity capacity, uint64_t max_memory_bytes = 64 << 20) {
    parts_ = MakeParts(capacity, kMessageBytes, max_memory_bytes);
    ASSERT_NE(parts_, nullptr);
    pool_ = std::make_unique<BlockPool>(parts_.get(), kMe);
    empty_bytes_ = pool_->MemoryBytes();
  }

  // Claims until there is no more, writes to all of each; how it ended.
  Result ClaimAll(uint64_t bytes) {
    while (true) {
      uint32_t block;
      const Result result = pool_->Claim(bytes, &block);
      if (result != Result::kDone) return result;
      EXPECT_TRUE(claimed_.insert(block).second) << "one block twice";
      std::memset(parts_->segment.block(block), 1, bytes);
    }
  }
  void Claim(int count, uint64_t bytes) {
    for (int i = 0; i < count; ++i) {
      uint32_t block;
      ASSERT_EQ(pool_->Claim(bytes, &block), Result::kDone);
      claimed_.insert(block);
    }
  }
  void FreeAll() {
    for (uint32_t block : claimed_) pool_->Free(block);
    claimed_.clear();
  }

  uint64_t UsedBytes() const { return pool_->MemoryBytes() - empty_bytes_; }

  const testing::TemporaryMailboxes mailboxes_;
  std::shared_ptr<MailboxParts> parts_;
  std::unique_ptr<BlockPool> pool_;
  uint64_t empty_bytes_ = 0;
  std::set<uint32_t> claimed_;
};

TEST_F(BlockPoolTest, ABoundedOneHasAsManyAsItsCapacity) {
  Make(MailboxCapacity::Bounded(5));
  for (int round = 0; round < 3; ++round) {
    EXPECT_FALSE(pool_->LooksUsedUp());
    EXPECT_EQ(ClaimAll(kMessageBytes), Result::kNone);
    EXPECT_EQ(claimed_.size(), 5u);
    EXPECT_TRUE(pool_->LooksUsedUp());
    FreeAll();
  }
  EXPECT_EQ(UsedBytes(), 0u) << "all its memory was reserved at the beginning";
}

TEST_F(BlockPoolTest, AnUnboundedOneTakesThePagesThatAMessageNeeds) {
  Make(MailboxCapacity::Unbounded());
  Claim(1, 1);
  EXPECT_EQ(UsedBytes(), kPage);
  Claim(1, kPage + 1);
  EXPECT_EQ(UsedBytes(), 3 * kPage);
  Claim(1, 0);
  EXPECT_EQ(UsedBytes(), 3 * kPage);
}

TEST_F(BlockPoolTest, SmallMemoryIsUsedAgain) {
  Make(MailboxCapacity::Unbounded());
  Claim(3, 100);
  FreeAll();
  EXPECT_EQ(UsedBytes(), 3 * kPage);
  Claim(3, 200);
  EXPECT_EQ(UsedBytes(), 3 * kPage);
  FreeAll();
  Claim(3, 2 * kPage);
  EXPECT_EQ(UsedBytes(), 6 * kPage) << "a block's memory grows";
}

TEST_F(BlockPoolTest, LargeMemoryAndMuchOfItGoBack) {
  Make(MailboxCapacity::Unbounded());
  Claim(1, kMessageBytes);
  EXPECT_GE(UsedBytes(), kMessageBytes);
  FreeAll();
  EXPECT_EQ(UsedBytes(), 0u);
  Claim(3 * BlockPool::kKeptBlocks, 1);
  FreeAll();
  EXPECT_EQ(UsedBytes(), BlockPool::kKeptBlocks * kPage);
}

TEST_F(BlockPoolTest, ItsMemoryHasALimit) {
  Make(MailboxCapacity::Unbounded(), 4 * kMessageBytes);
  for (uint64_t bytes : {kMessageBytes, uint64_t{1}, 3 * kPage}) {
    const Result end = ClaimAll(bytes);
    EXPECT_TRUE(end == Result::kExhausted || end == Result::kNone);
    EXPECT_GE(claimed_.size(), 3u);
    EXPECT_LE(UsedBytes(), 4 * kMessageBytes);
    FreeAll();
  }
}

// What free blocks keep is no reason to fail.
TEST_F(BlockPoolTest, KeptMemoryMakesRoomForOthers) {
  Make(MailboxCapacity::Unbounded(), 4 * kMessageBytes);
  Claim(BlockPool::kKeptBlocks, 1);
  FreeAll();
  ASSERT_EQ(UsedBytes(), BlockPool::kKeptBlocks * kPage);
  Claim(3, kMessageBytes);
  EXPECT_LE(UsedBytes(), 4 * kMessageBytes);
}

TEST_F(BlockPoolTest, WhatIsNotToBeTrustedGivesAllItsMemoryBack) {
  Make(MailboxCapacity::Unbounded());
  Claim(1, 10 * kPage);
  const uint32_t block = *claimed_.begin();
  parts_->entries[block].reserved_bytes = 1;
  pool_->FreeUnknown(block);
  EXPECT_EQ(UsedBytes(), 0u);
}

TEST_F(BlockPoolTest, DamageIsSeen) {
  for (MailboxCapacity capacity :
       {MailboxCapacity::Bounded(5), MailboxCapacity::Unbounded()}) {
    Make(capacity);
    // All cells name a block that there is not.
    auto* const cells = capacity.kind == MailboxCapacity::Kind::kUnbounded
                            ? parts_->segment.bare_cells()
                            : parts_->segment.free_cells();
    for (size_t i = 0; i < parts_->geometry().cells; ++i) {
      Cell cell = Cell::Unpack(cells[i].load());
      cell.block_plus_1 = parts_->blocks + 1;
      cells[i] = cell.Pack();
    }
    uint32_t block;
    EXPECT_EQ(pool_->Claim(1, &block), Result::kDamaged);
    absl::StatusOr<MailboxDirectory> directory =
        MailboxDirectory::Make(kNoGroup);
    ASSERT_TRUE(MailboxSegment::Destroy(*directory, "test").ok());
  }
}

}  // namespace
}  // namespace grpc_shm
