// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Memory is painted into the state that a dead participant leaves, one state a
// test, and mended. (tests/crash kills real processes.)

#include "transport/mailbox/repair.h"

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "tests/unit/mailbox/made_parts.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/mailbox/block_pool.h"
#include "transport/mailbox/mailbox_parts.h"
#include "transport/mailbox/rendezvous_exchange.h"

namespace grpc_shm {
namespace {

using testing::TemporaryMailboxes;

constexpr ParticipantToken kMe{0, 0};
constexpr ParticipantToken kDead{1, 5};
constexpr uint64_t kNewTurn = 7;

class RepairTest : public ::testing::Test {
 protected:
  void Make(MailboxCapacity capacity) {
    parts_ = testing::MakeParts(capacity, 100, 1 << 16);
    ASSERT_NE(parts_, nullptr);
    entry_ = ParticipantWord{4194303, 1, kDead.generation}.Pack();
    parts_->control->participants[kDead.index] = entry_;
  }

  void MendIt() {
    BlockPool pool(parts_.get(), kMe);
    Repair(*parts_, pool, kMe, kDead.index, entry_);
  }

  BlockState State(uint32_t block) const {
    return BlockState::Unpack(parts_->entries[block].state.load());
  }
  void SetState(uint32_t block, BlockState state) {
    parts_->entries[block].state = state.Pack();
  }

  // How many blocks can be claimed.
  uint32_t Free() {
    BlockPool pool(parts_.get(), kMe);
    uint32_t block;
    uint32_t count = 0;
    while (pool.Claim(1, &block) == BlockPool::Result::kDone) ++count;
    return count;
  }

  uint32_t Claimed(ParticipantToken by) {
    BlockPool pool(parts_.get(), by);
    uint32_t block = 0;
    EXPECT_EQ(pool.Claim(1, &block), BlockPool::Result::kDone);
    return block;
  }

  // A message that the dead has sent.
  uint32_t Sent() {
    const uint32_t block = Claimed(kDead);
    EXPECT_EQ(parts_->messages.Put(block, kDead), OrderQueue::Result::kDone);
    return block;
  }

  TemporaryMailboxes mailboxes_;
  std::shared_ptr<MailboxParts> parts_;
  uint64_t entry_ = 0;
};

TEST_F(RepairTest, GivesTheEntryUp) {
  Make(MailboxCapacity::Bounded(2));
  const uint64_t returns = parts_->control->state.returns;
  MendIt();
  const ParticipantWord word = ParticipantWord::Unpack(
      parts_->control->participants[kDead.index].load());
  EXPECT_EQ(word.pid, 0u);
  EXPECT_EQ(word.generation, kDead.generation + 1);
  EXPECT_EQ(parts_->control->state.returns, returns + 1);
}

TEST_F(RepairTest, LeavesASuccessorAlone) {
  Make(MailboxCapacity::Bounded(2));
  const uint64_t successor =
      ParticipantWord{4194302, 1, kDead.generation + 1}.Pack();
  parts_->control->participants[kDead.index] = successor;
  const uint32_t block = Claimed({kDead.index, kDead.generation + 1});
  MendIt();
  EXPECT_EQ(parts_->control->participants[kDead.index], successor);
  EXPECT_EQ(State(block).kind, BlockKind::kClaimed);
}

TEST_F(RepairTest, FreesAClaimedBlock) {
  for (MailboxCapacity capacity :
       {MailboxCapacity::Bounded(2), MailboxCapacity::Unbounded()}) {
    Make(capacity);
    (void)Claimed(kDead);
    MendIt();
    EXPECT_EQ(Free(), parts_->blocks);
    ASSERT_EQ(unlink(mailboxes_.Path("test").c_str()), 0);
  }
}

TEST_F(RepairTest, LeavesOthersBlocksAlone) {
  Make(MailboxCapacity::Bounded(3));
  const uint32_t mine = Claimed(kMe);
  (void)Claimed(kDead);
  MendIt();
  EXPECT_EQ(State(mine).kind, BlockKind::kClaimed);
  EXPECT_EQ(Free(), 2u);
}

TEST_F(RepairTest, KeepsAMessageThatIsIn) {
  Make(MailboxCapacity::Bounded(2));
  const uint32_t sent = Sent();
  MendIt();
  uint32_t block;
  ASSERT_EQ(parts_->messages.Take(BlockKind::kTaken, kMe, &block),
            OrderQueue::Result::kDone);
  EXPECT_EQ(block, sent);
  EXPECT_EQ(Free(), 1u);
}

TEST_F(RepairTest, FreesAMessageThatDidNotGetIn) {
  Make(MailboxCapacity::Bounded(2));
  SetState(Claimed(kDead), {BlockKind::kPosted, kDead, 0});
  MendIt();
  EXPECT_TRUE(parts_->messages.Empty());
  EXPECT_EQ(Free(), 2u);
}

TEST_F(RepairTest, FreesABlockThatDidNotGetBack) {
  Make(MailboxCapacity::Bounded(2));
  SetState(Claimed(kDead),
           {BlockKind::kFree, kDead, parts_->control->free_blocks.tail});
  MendIt();
  EXPECT_EQ(Free(), 2u);
}

TEST_F(RepairTest, BringsATakenMessageBackInItsOldPlace) {
  Make(MailboxCapacity::Bounded(2));
  (void)Sent();
  (void)Sent();
  uint32_t first;
  uint32_t second;
  ASSERT_EQ(parts_->messages.Take(BlockKind::kTaken, kMe, &first),
            OrderQueue::Result::kDone);
  ASSERT_EQ(parts_->messages.Take(BlockKind::kTaken, kDead, &second),
            OrderQueue::Result::kDone);
  MendIt();
  EXPECT_EQ(State(first).kind, BlockKind::kTaken);
  EXPECT_EQ(State(second).kind, BlockKind::kReturned);
  EXPECT_EQ(State(second).position, 1u);
  EXPECT_EQ(Free(), 0u);
}

TEST_F(RepairTest, LeavesAMessageThatCameBackAlready) {
  Make(MailboxCapacity::Bounded(2));
  const uint32_t block = Claimed(kDead);
  SetState(block, {BlockKind::kReturned, kDead, 3});
  MendIt();
  EXPECT_EQ(State(block).kind, BlockKind::kReturned);
}

TEST_F(RepairTest, TwiceIsAsGoodAsOnce) {
  Make(MailboxCapacity::Bounded(3));
  (void)Claimed(kDead);
  (void)Sent();
  MendIt();
  MendIt();
  parts_->control->participants[kDead.index] = entry_;
  MendIt();
  EXPECT_EQ(Free(), 2u);
  EXPECT_EQ(State(1).kind, BlockKind::kPosted);
}

// ---- Rendezvous ----

TEST_F(RepairTest, WithdrawsAMessageWhoseSenderWaited) {
  Make(MailboxCapacity::Rendezvous());
  RendezvousExchange exchange(parts_.get(), kDead);
  (void)exchange.Post(Claimed(kDead));
  MendIt();
  EXPECT_FALSE(exchange.AnyPosted());
  EXPECT_EQ(Free(), parts_->blocks);
}

TEST_F(RepairTest, FreesTheSlotOfAReceiverThatWaited) {
  Make(MailboxCapacity::Rendezvous());
  RendezvousExchange dead(parts_.get(), kDead);
  ASSERT_EQ(dead.Enter(), 0u);
  MendIt();
  RendezvousExchange exchange(parts_.get(), kMe);
  EXPECT_FALSE(exchange.Give(Claimed(kMe)));
  EXPECT_EQ(exchange.Enter(), 0u);
}

TEST_F(RepairTest, BringsBackWhatAReceiverWasGivenAndNeverLookedAt) {
  Make(MailboxCapacity::Rendezvous());
  RendezvousExchange dead(parts_.get(), kDead);
  ASSERT_EQ(dead.Enter(), 0u);
  RendezvousExchange exchange(parts_.get(), kMe);
  const uint32_t block = Claimed(kMe);
  ASSERT_TRUE(exchange.Give(block));
  parts_->control->state.turns = kNewTurn;
  MendIt();
  EXPECT_EQ(State(block).kind, BlockKind::kReturned);
  EXPECT_EQ(State(block).position, kNewTurn);
}

TEST_F(RepairTest, DeliversWhatTheDeadHadGiven) {
  Make(MailboxCapacity::Rendezvous());
  RendezvousExchange exchange(parts_.get(), kMe);
  const uint32_t slot = exchange.Enter();
  RendezvousExchange dead(parts_.get(), kDead);
  const uint32_t given = Claimed(kDead);
  ASSERT_TRUE(dead.Give(given));
  MendIt();
  uint32_t block;
  ASSERT_EQ(exchange.Leave(slot, &block), RendezvousExchange::Got::kBlock);
  EXPECT_EQ(block, given);
}

TEST_F(RepairTest, FreesWhatTheDeadHadOnlyOffered) {
  Make(MailboxCapacity::Rendezvous());
  RendezvousExchange exchange(parts_.get(), kMe);
  const uint32_t slot = exchange.Enter();
  // Slot 0 in its turn 1.
  SetState(Claimed(kDead), {BlockKind::kOffered, kDead, 1});
  MendIt();
  uint32_t block;
  EXPECT_FALSE(exchange.HasGot(slot));
  EXPECT_EQ(exchange.Leave(slot, &block), RendezvousExchange::Got::kNothing);
  EXPECT_EQ(Free(), parts_->blocks);
}

}  // namespace
}  // namespace grpc_shm
