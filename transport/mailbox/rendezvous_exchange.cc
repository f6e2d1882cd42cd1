// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/rendezvous_exchange.h"

#include <atomic>

namespace grpc_shm {
namespace {

constexpr auto kSeqCst = std::memory_order_seq_cst;

uint64_t PlaceOf(uint32_t slot, uint32_t turn) {
  return uint64_t{slot} << SlotWord::kTurnBits | (turn & SlotWord::kTurnMask);
}

}  // namespace

bool RendezvousExchange::Give(uint32_t block) {
  auto& state = parts_->entries[block].state;
  for (uint32_t i = 0; i < kRendezvousWaiters; ++i) {
    std::atomic<uint64_t>& slot = parts_->control->waiters[i];
    uint64_t seen = slot.load(kSeqCst);
    const SlotWord word = SlotWord::Unpack(seen);
    if (word.kind != SlotWord::kWaiting) continue;
    state.store(
        BlockState{BlockKind::kOffered, me_, PlaceOf(i, word.turn)}.Pack(),
        std::memory_order_release);
    if (slot.compare_exchange_strong(
            seen,
            SlotWord{SlotWord::kGiven, word.owner, word.turn, block}.Pack(),
            kSeqCst)) {
      // Relaxed: a number to look at.
      parts_->control->state.handed_over.fetch_add(1,
                                                   std::memory_order_relaxed);
      parts_->message_event.NotifySleepers();
      return true;
    }
  }
  state.store(BlockState{BlockKind::kClaimed, me_, 0}.Pack(),
              std::memory_order_release);
  return false;
}

uint64_t RendezvousExchange::Post(uint32_t block) {
  const uint64_t turn = parts_->control->state.turns.fetch_add(1, kSeqCst);
  const uint64_t posted = BlockState{BlockKind::kPosted, me_, turn}.Pack();
  parts_->entries[block].state.store(posted, kSeqCst);
  // Receivers that began to wait at the same time.
  parts_->message_event.NotifySleepers();
  return posted;
}

bool RendezvousExchange::Withdraw(uint32_t block, uint64_t posted) {
  return parts_->entries[block].state.compare_exchange_strong(
      posted, BlockState{BlockKind::kClaimed, me_, 0}.Pack(), kSeqCst);
}

bool RendezvousExchange::Take(uint32_t* block) {
  while (true) {
    uint64_t oldest = 0;
    uint64_t turn = 0;
    bool found = false;
    for (uint32_t i = 0; i < parts_->blocks; ++i) {
      const uint64_t seen = parts_->entries[i].state.load(kSeqCst);
      const BlockState state = BlockState::Unpack(seen);
      if (state.kind != BlockKind::kPosted) continue;
      if (found && !BlockState::IsBefore(state.position, turn)) continue;
      found = true;
      turn = state.position;
      oldest = seen;
      *block = i;
    }
    if (!found) return false;
    if (parts_->entries[*block].state.compare_exchange_strong(
            oldest, BlockState{BlockKind::kTaken, me_, turn}.Pack(), kSeqCst)) {
      // Relaxed: a number to look at.
      parts_->control->state.handed_over.fetch_add(1,
                                                   std::memory_order_relaxed);
      parts_->room_event.NotifySleepers();
      return true;
    }
  }
}

bool RendezvousExchange::AnyPosted() const {
  for (uint32_t i = 0; i < parts_->blocks; ++i) {
    if (BlockState::Unpack(parts_->entries[i].state.load(kSeqCst)).kind ==
        BlockKind::kPosted) {
      return true;
    }
  }
  return false;
}

uint32_t RendezvousExchange::Enter() {
  for (uint32_t i = 0; i < kRendezvousWaiters; ++i) {
    std::atomic<uint64_t>& slot = parts_->control->waiters[i];
    uint64_t seen = slot.load(kSeqCst);
    const SlotWord word = SlotWord::Unpack(seen);
    if (word.kind == SlotWord::kIdle &&
        slot.compare_exchange_strong(
            seen, SlotWord{SlotWord::kWaiting, me_, word.turn + 1, 0}.Pack(),
            kSeqCst)) {
      return i;
    }
  }
  return kNoSlot;
}

bool RendezvousExchange::HasGot(uint32_t slot) const {
  return slot != kNoSlot &&
         SlotWord::Unpack(parts_->control->waiters[slot].load(kSeqCst)).kind !=
             SlotWord::kWaiting;
}

RendezvousExchange::Got RendezvousExchange::Leave(uint32_t index,
                                                  uint32_t* block) {
  if (index == kNoSlot) return Got::kNothing;
  std::atomic<uint64_t>& slot = parts_->control->waiters[index];
  uint64_t seen = slot.load(kSeqCst);
  SlotWord word = SlotWord::Unpack(seen);
  const uint64_t idle = SlotWord{SlotWord::kIdle, {}, word.turn, 0}.Pack();
  if (word.kind == SlotWord::kWaiting) {
    if (slot.compare_exchange_strong(seen, idle, kSeqCst)) return Got::kNothing;
    word = SlotWord::Unpack(seen);
  }
  Got got = Got::kDamaged;
  if (word.kind == SlotWord::kGiven && word.block < parts_->blocks) {
    auto& state = parts_->entries[word.block].state;
    uint64_t offered = state.load(std::memory_order_acquire);
    // As the message of the turn that comes next, should it come back.
    const uint64_t turn = parts_->control->state.turns.load(kSeqCst);
    if (BlockState::Unpack(offered).IsAt(BlockKind::kOffered,
                                         PlaceOf(index, word.turn)) &&
        state.compare_exchange_strong(
            offered, BlockState{BlockKind::kTaken, me_, turn}.Pack(),
            std::memory_order_acq_rel)) {
      *block = word.block;
      got = Got::kBlock;
    }
  }
  slot.store(idle, kSeqCst);
  return got;
}

bool RendezvousExchange::IsGiven(MailboxParts& parts, uint32_t block,
                                 BlockState state) {
  const uint64_t index = state.position >> SlotWord::kTurnBits;
  if (index >= kRendezvousWaiters) return false;
  const SlotWord word =
      SlotWord::Unpack(parts.control->waiters[index].load(kSeqCst));
  return word.kind == SlotWord::kGiven && word.block == block &&
         word.turn == (state.position & SlotWord::kTurnMask);
}

void RendezvousExchange::RepairWaiters(MailboxParts& parts, ParticipantToken me,
                                       ParticipantToken dead) {
  for (uint32_t i = 0; i < kRendezvousWaiters; ++i) {
    std::atomic<uint64_t>& slot = parts.control->waiters[i];
    uint64_t seen = slot.load(kSeqCst);
    while (true) {
      const SlotWord word = SlotWord::Unpack(seen);
      if (word.kind == SlotWord::kIdle || word.owner != dead) break;
      if (word.kind == SlotWord::kGiven && word.block < parts.blocks) {
        auto& state = parts.entries[word.block].state;
        uint64_t offered = state.load(std::memory_order_acquire);
        const uint64_t turn = parts.control->state.turns.load(kSeqCst);
        // Otherwise the dead has got as far as taking it.
        if (BlockState::Unpack(offered).IsAt(BlockKind::kOffered,
                                             PlaceOf(i, word.turn))) {
          state.compare_exchange_strong(
              offered, BlockState{BlockKind::kReturned, me, turn}.Pack(),
              kSeqCst);
        }
      }
      // A sender may give it something at this moment: then once more.
      if (slot.compare_exchange_strong(
              seen, SlotWord{SlotWord::kIdle, {}, word.turn, 0}.Pack(),
              kSeqCst)) {
        break;
      }
    }
  }
}

}  // namespace grpc_shm
