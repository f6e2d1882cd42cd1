// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_PARTS_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_PARTS_H_

#include <cstdint>
#include <utility>

#include "transport/mailbox/mailbox_segment.h"
#include "transport/mailbox/order_queue.h"
#include "transport/mailbox/wake_everybody.h"
#include "transport/mailbox/words.h"

namespace grpc_shm {

// A mailbox's segment and what operates on it, for those who work on it
// together: the core, the pool of blocks, the exchange of a rendezvous, the
// repair. Not copied; all are views of shared memory.
struct MailboxParts {
  explicit MailboxParts(MailboxSegment s)
      : segment(std::move(s)),
        control(segment.control()),
        entries(segment.entries()),
        blocks(segment.geometry().blocks),
        messages(&control->messages, segment.message_cells(),
                 segment.geometry().cells, entries, blocks, BlockKind::kPosted),
        free_blocks(&control->free_blocks, segment.free_cells(),
                    segment.geometry().cells, entries, blocks,
                    BlockKind::kFree),
        bare_blocks(&control->bare_blocks, segment.bare_cells(),
                    segment.geometry().cells, entries, blocks,
                    BlockKind::kBare),
        message_event(&control->message_event),
        room_event(&control->room_event) {}
  MailboxParts(const MailboxParts&) = delete;
  MailboxParts& operator=(const MailboxParts&) = delete;

  const MailboxGeometry& geometry() const { return segment.geometry(); }

  const MailboxSegment segment;
  MailboxControl* const control;
  BlockEntry* const entries;
  const uint32_t blocks;

  OrderQueue messages;     // unused in a rendezvous
  OrderQueue free_blocks;  // unbounded: those that have memory
  OrderQueue bare_blocks;  // unbounded alone: those that have none
  Eventcount message_event;
  Eventcount room_event;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_PARTS_H_
