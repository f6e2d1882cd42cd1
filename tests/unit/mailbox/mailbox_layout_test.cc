// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Processes of different builds share mailboxes, so what a segment looks like
// is a promise. If a test here fails, the layout changed: increment the layout
// version (kMailboxLayoutVersion), then change the test.

#include "transport/mailbox/mailbox_layout.h"

#include <cstdint>
#include <cstring>
#include <memory>

#include "gtest/gtest.h"
#include "transport/mailbox/geometry.h"
#include "transport/mailbox/words.h"

namespace grpc_shm {
namespace {

constexpr char kHint[] =
    "The mailbox's layout changed: increment the layout version.";

template <class T>
T ValueAt(const void* base, size_t offset) {
  T value;
  std::memcpy(&value, static_cast<const char*>(base) + offset, sizeof(value));
  return value;
}

TEST(MailboxLayout, IsOfVersionOne) {
  EXPECT_EQ(kMailboxLayoutVersion, 1u)
      << "Then change the other expectations of this test, and this one last.";
}

TEST(MailboxLayout, ControlPageIsWhatOtherBuildsExpect) {
  auto control = std::make_unique<MailboxControl>();
  constexpr auto kRelaxed = std::memory_order_relaxed;
  MailboxHeader& header = control->header;
  header.magic.store(kMailboxMagic, kRelaxed);
  header.version.store(0x11111111, kRelaxed);
  header.capacity_kind.store(0x22222222, kRelaxed);
  header.blocks.store(0x33333333, kRelaxed);
  header.page_bytes.store(0x44444444, kRelaxed);
  header.max_message_bytes.store(0x55, kRelaxed);
  header.max_memory_bytes.store(0x66, kRelaxed);
  header.segment_bytes.store(0x77, kRelaxed);
  header.pid_namespace.store(0x88, kRelaxed);
  header.time_namespace.store(0x99, kRelaxed);
  header.capacity.store(0xaa, kRelaxed);
  control->messages.tail.store(0xbb, kRelaxed);
  control->messages.head.store(0xcc, kRelaxed);
  control->free_blocks.tail.store(0xdd, kRelaxed);
  control->bare_blocks.tail.store(0xee, kRelaxed);
  control->message_event.armings.store(0xf1, kRelaxed);
  control->message_event.quiet.store(0xf2, kRelaxed);
  control->message_event.sequence.store(0xf3, kRelaxed);
  control->room_event.armings.store(0xf4, kRelaxed);
  control->state.destroyed.store(0xf5, kRelaxed);
  control->state.returns.store(0xf6, kRelaxed);
  control->participants[1].store(0xf7, kRelaxed);
  control->waiters[1].store(0xf8, kRelaxed);

  const void* const page = control.get();
  EXPECT_EQ(std::memcmp(page, "gshmmbox", 8), 0) << kHint;
  EXPECT_EQ(ValueAt<uint32_t>(page, 8), 0x11111111u) << kHint;
  EXPECT_EQ(ValueAt<uint32_t>(page, 12), 0x22222222u) << kHint;
  EXPECT_EQ(ValueAt<uint32_t>(page, 16), 0x33333333u) << kHint;
  EXPECT_EQ(ValueAt<uint32_t>(page, 20), 0x44444444u) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(page, 24), 0x55u) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(page, 32), 0x66u) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(page, 40), 0x77u) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(page, 48), 0x88u) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(page, 56), 0x99u) << kHint;
  EXPECT_EQ(ValueAt<uint32_t>(page, 64), 0xaau) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(page, 128), 0xbbu) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(page, 256), 0xccu) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(page, 384), 0xddu) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(page, 640), 0xeeu) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(page, 896), 0xf1u) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(page, 904), 0xf2u) << kHint;
  EXPECT_EQ(ValueAt<uint32_t>(page, 912), 0xf3u) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(page, 1024), 0xf4u) << kHint;
  EXPECT_EQ(ValueAt<uint32_t>(page, 1152), 0xf5u) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(page, 1160), 0xf6u) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(page, 1288), 0xf7u) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(page, 9480), 0xf8u) << kHint;
}

TEST(MailboxLayout, EntryOfABlockIsWhatOtherBuildsExpect) {
  BlockEntry entry;
  entry.state.store(0x1111111111111111, std::memory_order_relaxed);
  entry.size = 0x2222222222222222;
  entry.sender = 0x33333333;
  entry.reserved_bytes = 0x4444444444444444;
  EXPECT_EQ(sizeof(entry), 64u) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(&entry, 0), 0x1111111111111111u) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(&entry, 8), 0x2222222222222222u) << kHint;
  EXPECT_EQ(ValueAt<uint32_t>(&entry, 16), 0x33333333u) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(&entry, 24), 0x4444444444444444u) << kHint;
}

TEST(MailboxLayout, WordsAreWhatOtherBuildsExpect) {
  const ParticipantToken token{0x3ff, 0x1001};
  EXPECT_EQ(token.Pack(), 0x4007ffu) << kHint;
  EXPECT_EQ((ParticipantWord{1, 1, 1}.Pack()),
            uint64_t{1} << 42 | uint64_t{1} << 13 | 1)
      << kHint;
  EXPECT_EQ((BlockState{BlockKind::kOffered, {1, 0}, 1}.Pack()),
            uint64_t{6} << 61 | uint64_t{1} << 38 | 1)
      << kHint;
  EXPECT_EQ((Cell{1, 1}.Pack()), uint64_t{1} << 24 | 1) << kHint;
  EXPECT_EQ((SlotWord{SlotWord::kGiven, {1, 0}, 1, 1}.Pack()),
            uint64_t{2} << 62 | uint64_t{1} << 39 | uint64_t{1} << 24 | 1)
      << kHint;
  EXPECT_EQ(static_cast<int>(BlockKind::kFree), 0) << kHint;
  EXPECT_EQ(static_cast<int>(BlockKind::kBare), 1) << kHint;
  EXPECT_EQ(static_cast<int>(BlockKind::kClaimed), 2) << kHint;
  EXPECT_EQ(static_cast<int>(BlockKind::kPosted), 3) << kHint;
  EXPECT_EQ(static_cast<int>(BlockKind::kTaken), 4) << kHint;
  EXPECT_EQ(static_cast<int>(BlockKind::kReturned), 5) << kHint;
}

TEST(MailboxLayout, SegmentsAreLaidOutAsOtherBuildsExpect) {
  absl::StatusOr<MailboxGeometry> bounded =
      MailboxGeometry::Of(MailboxCapacity::Bounded(100), 1000, 0);
  ASSERT_TRUE(bounded.ok()) << bounded.status();
  EXPECT_EQ(bounded->blocks, 100u) << kHint;
  EXPECT_EQ(bounded->cells, 128u) << kHint;
  EXPECT_EQ(bounded->block_stride, 1024u) << kHint;
  EXPECT_EQ(bounded->message_cells, 12288u) << kHint;
  EXPECT_EQ(bounded->free_cells, 13312u) << kHint;
  EXPECT_EQ(bounded->entries, 14336u) << kHint;
  EXPECT_EQ(bounded->data, 24576u) << kHint;

  absl::StatusOr<MailboxGeometry> unbounded =
      MailboxGeometry::Of(MailboxCapacity::Unbounded(), 1000, 1 << 20);
  ASSERT_TRUE(unbounded.ok()) << unbounded.status();
  EXPECT_EQ(unbounded->blocks, 256u) << kHint;
  EXPECT_EQ(unbounded->block_stride, 4096u) << kHint;
  EXPECT_EQ(unbounded->bare_cells, 12288u + 2 * 512 * 8) << kHint;
  EXPECT_EQ(unbounded->entries, 12288u + 3 * 512 * 8) << kHint;
}

TEST(MailboxWords, UnpackWhatWasPacked) {
  const ParticipantToken token{777, 8191};
  EXPECT_EQ(ParticipantToken::Unpack(token.Pack()), token);
  const uint64_t far = BlockState::kPositionMask - 5;
  const BlockState state =
      BlockState::Unpack(BlockState{BlockKind::kTaken, token, far}.Pack());
  EXPECT_EQ(state.kind, BlockKind::kTaken);
  EXPECT_EQ(state.owner, token);
  EXPECT_EQ(state.position, far);
  const ParticipantWord word =
      ParticipantWord::Unpack(ParticipantWord{4194303, 536870911, 8191}.Pack());
  EXPECT_EQ(word.pid, 4194303u);
  EXPECT_EQ(word.start, 536870911u);
  EXPECT_EQ(word.generation, 8191u);
  const SlotWord slot = SlotWord::Unpack(
      SlotWord{SlotWord::kWaiting, token, 32767, 1048575}.Pack());
  EXPECT_EQ(slot.kind, SlotWord::kWaiting);
  EXPECT_EQ(slot.owner, token);
  EXPECT_EQ(slot.turn, 32767u);
  EXPECT_EQ(slot.block, 1048575u);
}

TEST(MailboxWords, PositionsCompareAcrossTheirEnd) {
  const uint64_t last = BlockState::kPositionMask;
  EXPECT_TRUE(BlockState::IsBefore(1, 2));
  EXPECT_FALSE(BlockState::IsBefore(2, 1));
  EXPECT_FALSE(BlockState::IsBefore(1, 1));
  EXPECT_TRUE(BlockState::IsBefore(last, 0));
  EXPECT_FALSE(BlockState::IsBefore(0, last));
}

TEST(MailboxWords, AnEntryGivenUpIsNobodysAndNeverTheSameAgain) {
  const ParticipantWord after =
      ParticipantWord::Unpack(ParticipantWord::After(8191).Pack());
  EXPECT_EQ(after.pid, 0u);
  EXPECT_EQ(after.generation, 0u);
  EXPECT_EQ(ParticipantWord::After(5).generation, 6u);
}

}  // namespace
}  // namespace grpc_shm
