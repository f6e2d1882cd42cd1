// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/describe.h"

#include <sys/stat.h>

#include <atomic>
#include <cstdint>

#include "transport/mailbox/participation.h"

namespace grpc_shm {

MailboxInfo Describe(const MailboxParts& parts, const std::string& name) {
  const MailboxGeometry& g = parts.geometry();
  // Relaxed, all of it: numbers to look at.
  constexpr auto kRelaxed = std::memory_order_relaxed;
  MailboxInfo info;
  info.name = name;
  info.capacity = g.capacity;
  info.max_message_bytes = g.max_message_bytes;
  info.max_memory_bytes = g.max_memory_bytes;
  struct stat file;
  if (fstat(parts.segment.fd(), &file) == 0) {
    info.mode = file.st_mode & 0777;
    info.owner = file.st_uid;
    info.group = file.st_gid;
    info.memory_bytes = static_cast<uint64_t>(file.st_blocks) * 512;
  }

  uint64_t posted = 0;
  uint64_t returned = 0;
  for (uint32_t i = 0; i < parts.blocks; ++i) {
    switch (BlockState::Unpack(parts.entries[i].state.load(kRelaxed)).kind) {
      case BlockKind::kPosted:
        ++posted;
        break;
      case BlockKind::kReturned:
        ++returned;
        break;
      case BlockKind::kTaken:
        ++info.unacknowledged;
        break;
      default:
        break;
    }
  }
  const MailboxState& state = parts.control->state;
  info.redelivered = state.redelivered.load(kRelaxed);
  if (g.rendezvous()) {
    info.waiting = posted + returned;
    info.sent = state.handed_over.load(kRelaxed);
    info.received = info.sent + info.redelivered;
  } else {
    // In this order, so that not more is taken than was put.
    const uint64_t takes = parts.messages.takes();
    info.sent = parts.messages.puts();
    info.received = takes + info.redelivered;
    info.waiting = info.sent - takes + returned;
  }
  info.participants = Participation::Count(parts);
  return info;
}

}  // namespace grpc_shm
