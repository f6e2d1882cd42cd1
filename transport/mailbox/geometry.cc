// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/geometry.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace grpc_shm {
namespace {

using Kind = MailboxCapacity::Kind;

constexpr uint64_t kControlBytes = 12288;
constexpr uint64_t kLineBytes = 64;

static_assert(sizeof(MailboxControl) <= kControlBytes);
static_assert(kControlBytes % kMailboxPageBytes == 0);

constexpr uint64_t RoundUp(uint64_t bytes, uint64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

size_t PowerOfTwoAbove(uint32_t blocks) {
  size_t cells = 8;
  while (cells <= blocks) cells *= 2;
  return cells;
}

// The largest page of the systems that there are is 64 KiB, and a mapping
// consists of whole ones.
uint64_t MappingUnit() {
  return std::max(kMailboxPageBytes,
                  static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
}

absl::Status Foreign(absl::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrCat("not a mailbox that this process can use: ", why));
}

}  // namespace

absl::StatusOr<MailboxGeometry> MailboxGeometry::Of(MailboxCapacity capacity,
                                                    uint64_t max_message_bytes,
                                                    uint64_t max_memory_bytes) {
  MailboxGeometry g{};
  g.capacity = capacity;
  g.max_message_bytes = max_message_bytes;
  if (max_message_bytes < 1 || max_message_bytes > kMaxMailboxMessageBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "max_message_bytes ", max_message_bytes, " is not 1 to 2^40"));
  }
  // Whole pages where they are reserved and given back one block at a time, and
  // where it hardly matters.
  g.block_stride =
      RoundUp(max_message_bytes, capacity.kind == Kind::kUnbounded ||
                                         max_message_bytes >= kMailboxPageBytes
                                     ? kMailboxPageBytes
                                     : kLineBytes);
  switch (capacity.kind) {
    case Kind::kRendezvous:
      g.blocks = kRendezvousWaiters;
      break;
    case Kind::kBounded:
      if (capacity.messages < 1 || capacity.messages > kMaxBlocks) {
        return absl::InvalidArgumentError(absl::StrCat(
            "a capacity of ", capacity.messages, " messages is not 1 to 2^20"));
      }
      g.blocks = capacity.messages;
      break;
    case Kind::kUnbounded: {
      if (max_memory_bytes < kMailboxPageBytes ||
          max_memory_bytes > kMaxSegmentBytes) {
        return absl::InvalidArgumentError(absl::StrCat(
            "max_memory_bytes ", max_memory_bytes, " is not 4096 to 2^44"));
      }
      g.max_memory_bytes = max_memory_bytes;
      // A block for each page that there may be, as far as addresses go: half
      // of the largest segment.
      const uint64_t most =
          std::max<uint64_t>(1, kMaxSegmentBytes / 2 / g.block_stride);
      g.blocks = static_cast<uint32_t>(std::min(
          {max_memory_bytes / kMailboxPageBytes, most, uint64_t{kMaxBlocks}}));
      break;
    }
    default:
      return absl::InvalidArgumentError("no such kind of capacity");
  }
  g.cells = PowerOfTwoAbove(g.blocks);
  const size_t cells_bytes = g.cells * sizeof(uint64_t);
  g.message_cells = kControlBytes;
  g.free_cells = g.message_cells + cells_bytes;
  g.bare_cells = g.unbounded() ? g.free_cells + cells_bytes : 0;
  g.entries = g.free_cells + cells_bytes + (g.unbounded() ? cells_bytes : 0);
  g.data = RoundUp(g.entries + uint64_t{g.blocks} * sizeof(BlockEntry),
                   kMailboxPageBytes);
  // No overflow: 2^20 times 2^40, at most.
  const uint64_t data_bytes = g.blocks * g.block_stride;
  if (data_bytes > kMaxSegmentBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(g.blocks, " messages of ", max_message_bytes,
                     " bytes are more than a segment can have (2^44 bytes)"));
  }
  g.segment_bytes = RoundUp(g.data + data_bytes, MappingUnit());
  return g;
}

absl::StatusOr<MailboxGeometry> MailboxGeometry::Of(const MailboxHeader& header,
                                                    uint64_t file_bytes) {
  // Paired with the release store in MailboxSegment::Create.
  if (header.magic.load(std::memory_order_acquire) != kMailboxMagic) {
    return Foreign("the segment is something else, or damaged");
  }
  // Relaxed: constant since the store of magic.
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const uint32_t version = header.version.load(kRelaxed);
  if (version != kMailboxLayoutVersion) {
    return Foreign(absl::StrCat(
        "it has layout version ", version, " and this process knows version ",
        kMailboxLayoutVersion, "; build all with one version of grpc-shm"));
  }
  const uint32_t kind = header.capacity_kind.load(kRelaxed);
  if (kind > static_cast<uint32_t>(Kind::kUnbounded)) {
    return Foreign("its header is damaged");
  }
  absl::StatusOr<MailboxGeometry> g = Of(
      MailboxCapacity{static_cast<Kind>(kind), header.capacity.load(kRelaxed)},
      header.max_message_bytes.load(kRelaxed),
      header.max_memory_bytes.load(kRelaxed));
  if (!g.ok() || header.blocks.load(kRelaxed) != g->blocks ||
      header.page_bytes.load(kRelaxed) != kMailboxPageBytes ||
      header.segment_bytes.load(kRelaxed) != g->segment_bytes ||
      file_bytes != g->segment_bytes) {
    return Foreign("its sizes do not fit together");
  }
  return g;
}

}  // namespace grpc_shm
