// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/block_pool.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace grpc_shm {
namespace {

BlockPool::Result FromQueue(OrderQueue::Result result) {
  switch (result) {
    case OrderQueue::Result::kDone:
      return BlockPool::Result::kDone;
    case OrderQueue::Result::kEmpty:
      return BlockPool::Result::kNone;
    case OrderQueue::Result::kDamaged:
      break;
  }
  return BlockPool::Result::kDamaged;
}

int Allocate(int fd, int mode, uint64_t offset, uint64_t bytes) {
  while (fallocate(fd, mode, static_cast<off_t>(offset),
                   static_cast<off_t>(bytes)) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

}  // namespace

BlockPool::Result BlockPool::Claim(uint64_t bytes, uint32_t* block) {
  if (parts_->geometry().unbounded()) return ClaimUnbounded(bytes, block);
  return FromQueue(parts_->free_blocks.Take(BlockKind::kClaimed, me_, block));
}

BlockPool::Result BlockPool::ClaimUnbounded(uint64_t bytes, uint32_t* block) {
  Result result =
      FromQueue(parts_->free_blocks.Take(BlockKind::kClaimed, me_, block));
  if (result == Result::kNone) {
    result =
        FromQueue(parts_->bare_blocks.Take(BlockKind::kClaimed, me_, block));
  }
  if (result != Result::kDone) return result;
  result = Reserve(*block, bytes);
  if (result != Result::kDone) FreeUnknown(*block);
  return result;
}

BlockPool::Result BlockPool::Reserve(uint32_t block, uint64_t bytes) {
  const MailboxGeometry& g = parts_->geometry();
  const uint64_t rounded =
      (bytes + kMailboxPageBytes - 1) / kMailboxPageBytes * kMailboxPageBytes;
  if (rounded > g.block_stride) return Result::kDamaged;
  if (rounded == 0) return Result::kDone;
  // Memory that is there already costs 0.3 us, and 0.06 for each further page.
  // Not to ask would be to believe the entry, and to die of a SIGBUS if it is
  // wrong and shared memory full.
  if (parts_->entries[block].reserved_bytes >= rounded) {
    return Allocate(parts_->segment.fd(), 0, g.data + block * g.block_stride,
                    rounded) == 0
               ? Result::kDone
               : Result::kExhausted;
  }
  const uint64_t limit = g.data + g.max_memory_bytes;
  // So that not even for a moment much more is taken than may be.
  while (MemoryBytes() + rounded > limit) {
    if (!ReleaseOne()) return Result::kExhausted;
  }
  if (Allocate(parts_->segment.fd(), 0, g.data + block * g.block_stride,
               rounded) != 0) {
    return Result::kExhausted;
  }
  // Others may have done so at the same time.
  while (MemoryBytes() > limit) {
    if (!ReleaseOne()) return Result::kExhausted;
  }
  parts_->entries[block].reserved_bytes = rounded;
  return Result::kDone;
}

// Gives the memory of a free block back. False: none has any.
bool BlockPool::ReleaseOne() {
  uint32_t block;
  if (parts_->free_blocks.Take(BlockKind::kClaimed, me_, &block) !=
      OrderQueue::Result::kDone) {
    return false;
  }
  PutBare(block);
  return true;
}

void BlockPool::PutBare(uint32_t block) {
  const MailboxGeometry& g = parts_->geometry();
  // While the block is ours, so that nobody is writing there.
  Allocate(parts_->segment.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
           g.data + block * g.block_stride, g.block_stride);
  parts_->entries[block].reserved_bytes = 0;
  parts_->bare_blocks.Put(block, me_);
}

void BlockPool::Free(uint32_t block) {
  // Positions only grow, but are read one after the other.
  const auto kept = static_cast<int64_t>(parts_->free_blocks.puts() -
                                         parts_->free_blocks.takes());
  if (parts_->geometry().unbounded() &&
      (kept >= static_cast<int64_t>(kKeptBlocks) ||
       parts_->entries[block].reserved_bytes > kKeptBlockBytes)) {
    PutBare(block);
  } else {
    parts_->free_blocks.Put(block, me_);
  }
  NotifyRoom();
}

void BlockPool::FreeUnknown(uint32_t block) {
  if (parts_->geometry().unbounded()) {
    PutBare(block);
    NotifyRoom();
  } else {
    Free(block);
  }
}

void BlockPool::NotifyRoom() {
  // In a rendezvous, senders sleep on the same event until their message is
  // taken: it could be one of those that is woken.
  if (parts_->geometry().rendezvous()) {
    parts_->room_event.NotifySleepers();
  } else {
    parts_->room_event.NotifyOne();
  }
}

uint64_t BlockPool::MemoryBytes() const {
  struct stat info;
  if (fstat(parts_->segment.fd(), &info) != 0) return 0;
  return static_cast<uint64_t>(info.st_blocks) * 512;
}

}  // namespace grpc_shm
