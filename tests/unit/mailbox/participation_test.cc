// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/participation.h"

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/mailbox/made_parts.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/mailbox/block_pool.h"

namespace grpc_shm {
namespace {

using testing::ChildProcess;
using testing::Conversation;
using testing::MakeParts;

constexpr absl::Duration kPatience = absl::Seconds(20);

class ParticipationTest : public ::testing::Test {
 protected:
  ParticipationTest()
      : parts_(MakeParts(MailboxCapacity::Bounded(1), 100, 0)) {}

  std::shared_ptr<Participation> Join() {
    absl::StatusOr<std::shared_ptr<Participation>> joined =
        Participation::Join(parts_);
    EXPECT_TRUE(joined.ok()) << joined.status();
    return joined.ok() ? *std::move(joined) : nullptr;
  }

  // Of a process that has never been; another one for each index.
  static ParticipantWord DeadWord(uint32_t index) {
    return {4194303 - index, 1, 0};
  }
  void Paint(uint32_t index, ParticipantWord word) {
    parts_->control->participants[index] = word.Pack();
  }

  // The only block there is, as one who has it.
  void ClaimAs(ParticipantToken token) {
    uint32_t block;
    EXPECT_EQ(BlockPool(parts_.get(), token).Claim(1, &block),
              BlockPool::Result::kDone);
  }
  bool IsFree() const {
    return !BlockPool(parts_.get(), ParticipantToken{}).LooksUsedUp();
  }

  const testing::TemporaryMailboxes mailboxes_;
  const std::shared_ptr<MailboxParts> parts_;
};

// First: it forks, and this process has no threads yet.
TEST_F(ParticipationTest, ADeathIsSeenAndMended) {
  ChildProcess child([this](Conversation& parent) {
    const auto joined = Join();
    ClaimAs(joined->token());
    parent.Say("joined");
    parent.Hear();  // for ever
  });
  ASSERT_EQ(child.conversation().Hear(), "joined");
  const auto joined = Join();
  EXPECT_EQ(Participation::Count(*parts_), 2u);
  EXPECT_FALSE(IsFree()) << "the living are left alone";
  child.Kill();
  const absl::Time end = absl::Now() + kPatience;
  while ((Participation::Count(*parts_) != 1 || !IsFree()) && absl::Now() < end)
    absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(Participation::Count(*parts_), 1u);
  EXPECT_TRUE(IsFree());
}

TEST_F(ParticipationTest, EachTakesAnEntryAndGivesItBack) {
  EXPECT_EQ(Participation::Count(*parts_), 0u);
  auto first = Join();
  const auto second = Join();
  EXPECT_EQ(Participation::Count(*parts_), 2u);
  EXPECT_NE(first->token().index, second->token().index);
  const ParticipantToken left = first->token();
  first.reset();
  // A reactor thread may be looking round as the first, since the second came.
  const absl::Time end = absl::Now() + kPatience;
  while (Participation::Count(*parts_) != 1 && absl::Now() < end)
    absl::SleepFor(absl::Milliseconds(1));
  const auto third = Join();
  EXPECT_EQ(third->token().index, left.index);
  EXPECT_NE(third->token().generation, left.generation)
      << "whoever finds a word of the one who left must see that he did";
}

TEST_F(ParticipationTest, WhoJoinsMendsWhatTheDeadHaveLeft) {
  Paint(3, DeadWord(3));
  ClaimAs({3, 0});
  ASSERT_FALSE(IsFree());
  const auto joined = Join();
  EXPECT_TRUE(IsFree());
  EXPECT_EQ(Participation::Count(*parts_), 1u);
}

TEST_F(ParticipationTest, ATableFullOfTheDeadHasRoom) {
  for (uint32_t i = 0; i < kMaxParticipants; ++i) Paint(i, DeadWord(i));
  ClaimAs({7, 0});
  const auto joined = Join();
  ASSERT_NE(joined, nullptr);
  EXPECT_TRUE(IsFree());
  EXPECT_EQ(Participation::Count(*parts_), 1u);
}

TEST_F(ParticipationTest, ATableFullOfTheLivingHasNone) {
  const absl::StatusOr<ProcessIdentity> self = ProcessIdentity::OfThisProcess();
  ASSERT_TRUE(self.ok());
  for (uint32_t i = 0; i < kMaxParticipants; ++i)
    Paint(i, {self->pid, self->start, 0});
  EXPECT_EQ(Participation::Join(parts_).status().code(),
            absl::StatusCode::kResourceExhausted);
  Paint(500, {});
  EXPECT_NE(Join(), nullptr);
}

}  // namespace
}  // namespace grpc_shm
