// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/geometry.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_shm {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;

absl::StatusCode CodeOf(MailboxCapacity capacity, uint64_t message,
                        uint64_t memory = kMiB) {
  return MailboxGeometry::Of(capacity, message, memory).status().code();
}

// A header as MailboxSegment::Create writes it.
// On the heap: with AddressSanitizer gcc 12 aligns what is on the stack to 32
// bytes at most (GCC bug 110027).
std::unique_ptr<MailboxHeader> HeaderOf(const MailboxGeometry& g) {
  auto header = std::make_unique<MailboxHeader>();
  header->magic = kMailboxMagic;
  header->version = kMailboxLayoutVersion;
  header->capacity_kind = static_cast<uint32_t>(g.capacity.kind);
  header->capacity = g.capacity.messages;
  header->blocks = g.blocks;
  header->page_bytes = kMailboxPageBytes;
  header->max_message_bytes = g.max_message_bytes;
  header->max_memory_bytes = g.max_memory_bytes;
  header->segment_bytes = g.segment_bytes;
  return header;
}

TEST(MailboxGeometry, TakesWhatTheOptionsAllow) {
  constexpr absl::StatusCode kOk = absl::StatusCode::kOk;
  EXPECT_EQ(CodeOf(MailboxCapacity::Rendezvous(), 1), kOk);
  EXPECT_EQ(CodeOf(MailboxCapacity::Bounded(1), 1), kOk);
  EXPECT_EQ(CodeOf(MailboxCapacity::Bounded(1 << 20), 4096), kOk);
  EXPECT_EQ(CodeOf(MailboxCapacity::Bounded(1), uint64_t{1} << 40), kOk);
  EXPECT_EQ(CodeOf(MailboxCapacity::Unbounded(), 1, 4096), kOk);
  EXPECT_EQ(CodeOf(MailboxCapacity::Unbounded(), uint64_t{1} << 40, kMiB), kOk);
}

TEST(MailboxGeometry, RefusesWhatTheyDoNot) {
  constexpr absl::StatusCode kNo = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(CodeOf(MailboxCapacity::Bounded(0), 1), kNo);
  EXPECT_EQ(CodeOf(MailboxCapacity::Bounded((1 << 20) + 1), 1), kNo);
  EXPECT_EQ(CodeOf(MailboxCapacity::Bounded(1), 0), kNo);
  EXPECT_EQ(CodeOf(MailboxCapacity::Bounded(1), (uint64_t{1} << 40) + 1), kNo);
  EXPECT_EQ(CodeOf(MailboxCapacity::Bounded(1 << 20), uint64_t{1} << 40), kNo);
  EXPECT_EQ(CodeOf(MailboxCapacity::Rendezvous(), ~uint64_t{0}), kNo);
  EXPECT_EQ(CodeOf(MailboxCapacity::Unbounded(), 1, 4095), kNo);
  EXPECT_EQ(CodeOf(MailboxCapacity::Unbounded(), 1, ~uint64_t{0}), kNo);
  EXPECT_EQ(CodeOf({static_cast<MailboxCapacity::Kind>(3), 1}, 1), kNo);
}

TEST(MailboxGeometry, PartsLieOneAfterTheOtherAndWithinTheSegment) {
  for (MailboxCapacity capacity :
       {MailboxCapacity::Rendezvous(), MailboxCapacity::Bounded(1),
        MailboxCapacity::Bounded(7), MailboxCapacity::Bounded(1 << 20),
        MailboxCapacity::Unbounded()}) {
    absl::StatusOr<MailboxGeometry> g =
        MailboxGeometry::Of(capacity, 100, 64 * kMiB);
    ASSERT_TRUE(g.ok()) << g.status();
    const size_t queue = g->cells * sizeof(uint64_t);
    EXPECT_GT(g->cells, g->blocks);
    EXPECT_GE(g->message_cells, sizeof(MailboxControl));
    EXPECT_GE(g->free_cells, g->message_cells + queue);
    if (g->unbounded()) {
      EXPECT_GE(g->bare_cells, g->free_cells + queue);
      EXPECT_GE(g->entries, g->bare_cells + queue);
    } else {
      EXPECT_GE(g->entries, g->free_cells + queue);
    }
    EXPECT_EQ(g->entries % sizeof(BlockEntry), 0u);
    EXPECT_GE(g->data, g->entries + g->blocks * sizeof(BlockEntry));
    EXPECT_EQ(g->data % kMailboxPageBytes, 0u);
    EXPECT_GE(g->block_stride, 100u);
    EXPECT_EQ(g->block_stride % 64, 0u);
    EXPECT_GE(g->segment_bytes, g->data + g->blocks * g->block_stride);
  }
}

TEST(MailboxGeometry, OfAHeaderIsThatOfTheOptions) {
  absl::StatusOr<MailboxGeometry> g =
      MailboxGeometry::Of(MailboxCapacity::Unbounded(), 5000, 3 * kMiB);
  ASSERT_TRUE(g.ok()) << g.status();
  const auto header = HeaderOf(*g);
  absl::StatusOr<MailboxGeometry> read =
      MailboxGeometry::Of(*header, g->segment_bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->unbounded());
  EXPECT_EQ(read->blocks, g->blocks);
  EXPECT_EQ(read->block_stride, g->block_stride);
  EXPECT_EQ(read->data, g->data);
  EXPECT_EQ(read->max_message_bytes, 5000u);
  EXPECT_EQ(read->max_memory_bytes, 3 * kMiB);
}

// One corruption each.
TEST(MailboxGeometry, OfAHeaderThatIsNotRightIsRefused) {
  struct Corruption {
    const char* what;
    std::function<void(MailboxHeader&)> make;
    const char* message;
  };
  for (const Corruption& corruption : {
           Corruption{"magic", [](MailboxHeader& h) { h.magic = 0; },
                      "something else, or damaged"},
           Corruption{
               "version",
               [](MailboxHeader& h) { h.version = kMailboxLayoutVersion + 1; },
               "layout version 2 and this process knows version 1"},
           Corruption{"capacity kind",
                      [](MailboxHeader& h) { h.capacity_kind = 3; }, "damaged"},
           Corruption{"capacity", [](MailboxHeader& h) { h.capacity = 0; },
                      "do not fit"},
           Corruption{"another capacity",
                      [](MailboxHeader& h) { h.capacity = 11; }, "do not fit"},
           Corruption{"blocks", [](MailboxHeader& h) { h.blocks = 1 << 20; },
                      "do not fit"},
           Corruption{"page bytes",
                      [](MailboxHeader& h) { h.page_bytes = 8192; },
                      "do not fit"},
           Corruption{
               "message bytes",
               [](MailboxHeader& h) { h.max_message_bytes = ~uint64_t{0}; },
               "do not fit"},
           Corruption{"segment bytes",
                      [](MailboxHeader& h) { h.segment_bytes = 4096; },
                      "do not fit"},
       }) {
    absl::StatusOr<MailboxGeometry> g =
        MailboxGeometry::Of(MailboxCapacity::Bounded(10), 100, 0);
    ASSERT_TRUE(g.ok()) << g.status();
    const auto header = HeaderOf(*g);
    corruption.make(*header);
    const absl::Status status =
        MailboxGeometry::Of(*header, g->segment_bytes).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition)
        << corruption.what;
    EXPECT_THAT(std::string(status.message()), HasSubstr(corruption.message))
        << corruption.what;
  }
}

TEST(MailboxGeometry, OfAFileOfAnotherLengthIsRefused) {
  absl::StatusOr<MailboxGeometry> g =
      MailboxGeometry::Of(MailboxCapacity::Bounded(10), 100, 0);
  ASSERT_TRUE(g.ok()) << g.status();
  const auto header = HeaderOf(*g);
  for (uint64_t bytes : {g->segment_bytes - 4096, g->segment_bytes + 4096}) {
    EXPECT_EQ(MailboxGeometry::Of(*header, bytes).status().code(),
              absl::StatusCode::kFailedPrecondition);
  }
}

}  // namespace
}  // namespace grpc_shm
