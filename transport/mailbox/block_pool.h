// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_BLOCK_POOL_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_BLOCK_POOL_H_

#include <cstdint>

#include "transport/mailbox/mailbox_parts.h"
#include "transport/mailbox/words.h"

namespace grpc_shm {

// The blocks of a mailbox that hold nothing, and in an unbounded one the memory
// behind them: a block gets pages when it is first used, keeps them for the
// next use while few free blocks have some, and gives them back otherwise. How
// much is in use, the kernel knows: a count of our own would be wrong after a
// process is killed between reserving and counting.
//
// Threads: any.
class BlockPool {
 public:
  enum class Result {
    kDone,
    kNone,       // all are in use
    kExhausted,  // unbounded: no memory left, or none allowed
    kDamaged,
  };

  // Memory of free blocks that is kept: so many blocks, of so many bytes at
  // most. 4 MiB; more makes bursts cheaper.
  static constexpr uint64_t kKeptBlocks = 64;
  static constexpr uint64_t kKeptBlockBytes = uint64_t{64} << 10;

  BlockPool(MailboxParts* parts, ParticipantToken me)
      : parts_(parts), me_(me) {}

  // A block with room for `bytes` bytes, no more than the mailbox's maximum: it
  // is claimed by `me`.
  Result Claim(uint64_t bytes, uint32_t* block);

  // Whether Claim would find none. For those who wait.
  bool LooksUsedUp() const {
    return parts_->free_blocks.Empty() &&
           (!parts_->geometry().unbounded() || parts_->bare_blocks.Empty());
  }

  // A block that `me` has, claimed or taken, is free. Wakes who waits for one.
  void Free(uint32_t block);

  // The same, without trusting what its entry says of its memory.
  void FreeUnknown(uint32_t block);

  // Bytes of shared memory that the segment takes now.
  uint64_t MemoryBytes() const;

 private:
  Result ClaimUnbounded(uint64_t bytes, uint32_t* block);
  Result Reserve(uint32_t block, uint64_t bytes);
  bool ReleaseOne();
  void PutBare(uint32_t block);
  void NotifyRoom();

  MailboxParts* const parts_;
  const ParticipantToken me_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_BLOCK_POOL_H_
