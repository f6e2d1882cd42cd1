// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_REPAIR_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_REPAIR_H_

#include <cstdint>

#include "transport/mailbox/block_pool.h"
#include "transport/mailbox/mailbox_parts.h"
#include "transport/mailbox/words.h"

namespace grpc_shm {

// Mends what a participant whose process has ended left behind, at whatever
// instruction that was:
//
//   a block it had claimed                       is free
//   a block it was putting into a queue          is in it if the cell says so,
//                                                and free otherwise
//   a message it waited with in a rendezvous     is gone
//   a message it had received                    comes back
//   its slot in a rendezvous                     is idle; what it was given
//                                                comes back
//
// Then wakes everybody, who may wait for what the dead was to do, and gives its
// entry up. Any number may repair the same at one time, and any of them may be
// killed meanwhile: each step is one compare-and-swap of a word that names the
// dead (or else the repairer), and what somebody else has done fails for the
// others.
//
// `entry` is what the participants table had at `index`, and `me` whoever
// repairs, by `pool`. Does nothing if the entry has changed since.
void Repair(MailboxParts& parts, BlockPool& pool, ParticipantToken me,
            uint32_t index, uint64_t entry);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_REPAIR_H_
