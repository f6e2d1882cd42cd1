// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_RENDEZVOUS_EXCHANGE_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_RENDEZVOUS_EXCHANGE_H_

#include <cstdint>

#include "transport/mailbox/mailbox_parts.h"
#include "transport/mailbox/words.h"

namespace grpc_shm {

// How messages change hands in a mailbox that holds none. Whoever comes first
// waits, and says so in shared memory; the second makes the exchange with one
// compare-and-swap. So a send is complete exactly when a receiver has the
// message, and a send that doesn't wait succeeds exactly when a receiver waits.
//
//   A sender waits with a block in the state kPosted, with its turn. A receiver
//   takes the block with the lowest turn: kPosted -> kTaken.
//
//   A receiver waits in a slot: kIdle -> kWaiting. A sender puts the block into
//   the state kOffered, for that slot and its turn, and then gives it: slot
//   kWaiting -> kGiven(block). The receiver finds it: block kOffered -> kTaken,
//   slot -> kIdle.
//
// Both look for the other after they have begun to wait (sequentially
// consistent, all of it), so that two never wait for each other.
//
// Threads: any.
class RendezvousExchange {
 public:
  static constexpr uint32_t kNoSlot = ~uint32_t{0};

  enum class Got { kBlock, kNothing, kDamaged };

  RendezvousExchange(MailboxParts* parts, ParticipantToken me)
      : parts_(parts), me_(me) {}

  // ---- Senders, with a block of theirs that is filled ----

  // To a receiver that waits. False: none does, the block is still claimed.
  bool Give(uint32_t block);

  // Begins to wait with the block. Returns the state that it has until it is
  // taken.
  uint64_t Post(uint32_t block);

  bool IsTaken(uint32_t block, uint64_t posted) const {
    return parts_->entries[block].state.load(std::memory_order_seq_cst) !=
           posted;
  }

  // Gives up. False: too late, it has been taken.
  bool Withdraw(uint32_t block, uint64_t posted);

  // ---- Receivers ----

  // Takes the block of the sender that has waited longest.
  bool Take(uint32_t* block);

  // Whether any sender waits.
  bool AnyPosted() const;

  // Begins to wait; kNoSlot when all slots are in use.
  uint32_t Enter();

  // Whether the slot was given a block. `slot` may be kNoSlot.
  bool HasGot(uint32_t slot) const;

  // Ends the wait: with the block that was given, if any.
  Got Leave(uint32_t slot, uint32_t* block);

  // ---- Repair ----

  // Whether the block, in that state, was given to a slot.
  static bool IsGiven(MailboxParts& parts, uint32_t block, BlockState state);

  // The slots of one who is dead.
  static void RepairWaiters(MailboxParts& parts, ParticipantToken me,
                            ParticipantToken dead);

 private:
  MailboxParts* const parts_;
  const ParticipantToken me_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_RENDEZVOUS_EXCHANGE_H_
