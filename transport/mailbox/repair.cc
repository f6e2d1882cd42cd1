// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/repair.h"

#include <atomic>

#include "transport/mailbox/rendezvous_exchange.h"

namespace grpc_shm {
namespace {

// Whether what the state says took effect before its owner died: then it is as
// good as if the owner were alive.
bool TookEffect(MailboxParts& parts, uint32_t block, BlockState state) {
  switch (state.kind) {
    case BlockKind::kFree:
      return parts.free_blocks.Holds(block, state);
    case BlockKind::kBare:
      return parts.geometry().unbounded() &&
             parts.bare_blocks.Holds(block, state);
    case BlockKind::kPosted:
      // In a rendezvous the sender has not been told that it was received.
      return !parts.geometry().rendezvous() &&
             parts.messages.Holds(block, state);
    case BlockKind::kOffered:
      return RendezvousExchange::IsGiven(parts, block, state);
    case BlockKind::kReturned:
      return true;
    case BlockKind::kClaimed:
    case BlockKind::kTaken:
      break;
  }
  return false;
}

void RepairBlock(MailboxParts& parts, BlockPool& pool, ParticipantToken me,
                 ParticipantToken dead, uint32_t block) {
  auto& word = parts.entries[block].state;
  // Acquire: what the dead has done with the block.
  uint64_t seen = word.load(std::memory_order_acquire);
  const BlockState state = BlockState::Unpack(seen);
  if (state.owner != dead || TookEffect(parts, block, state)) return;
  if (state.kind == BlockKind::kTaken) {
    word.compare_exchange_strong(
        seen, BlockState{BlockKind::kReturned, me, state.position}.Pack(),
        std::memory_order_seq_cst, std::memory_order_relaxed);
    return;
  }
  // First ours, then free: we may die in between as well.
  if (word.compare_exchange_strong(
          seen, BlockState{BlockKind::kClaimed, me, 0}.Pack(),
          std::memory_order_acq_rel, std::memory_order_relaxed)) {
    pool.FreeUnknown(block);
  }
}

}  // namespace

void Repair(MailboxParts& parts, BlockPool& pool, ParticipantToken me,
            uint32_t index, uint64_t entry) {
  std::atomic<uint64_t>& participant = parts.control->participants[index];
  if (participant.load(std::memory_order_acquire) != entry) return;
  const uint32_t generation = ParticipantWord::Unpack(entry).generation;
  const ParticipantToken dead{index, generation};
  if (parts.geometry().rendezvous()) {
    RendezvousExchange::RepairWaiters(parts, me, dead);
  }
  for (uint32_t block = 0; block < parts.blocks; ++block) {
    RepairBlock(parts, pool, me, dead, block);
  }
  // Whether or not messages came back: the dead may have returned one and not
  // said so.
  parts.control->state.returns.fetch_add(1, std::memory_order_seq_cst);
  WakeEverybody(*parts.control);
  // Release: who takes the entry next sees all that is mended.
  participant.compare_exchange_strong(
      entry, ParticipantWord::After(generation).Pack(),
      std::memory_order_release, std::memory_order_relaxed);
}

}  // namespace grpc_shm
