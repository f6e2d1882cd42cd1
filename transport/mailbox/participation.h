// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_PARTICIPATION_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_PARTICIPATION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "transport/base/fork.h"
#include "transport/mailbox/mailbox_parts.h"
#include "transport/mailbox/process_identity.h"
#include "transport/mailbox/process_watch.h"
#include "transport/mailbox/touch_watch.h"
#include "transport/mailbox/words.h"

namespace grpc_shm {

// One Mailbox object's membership in a mailbox: its entry in the table of
// participants, and its share of the work of noticing deaths.
//
// Whoever joins takes an entry (one compare-and-swap of a word that says who:
// so a death at any instruction leaves an entry that tells of it) and touches
// the segment's file, which wakes all others, who then watch the newcomer's
// process. When a process ends, all others know at once, and each repairs what
// it left (repair.h). Nobody polls; who is idle is not woken.
//
// Threads: any; the watches' handlers run on reactor threads.
class Participation : public std::enable_shared_from_this<Participation> {
 public:
  // Joins, mends what the dead of before have left, and watches the living.
  //
  // RESOURCE_EXHAUSTED: the table is full, or no descriptors.
  // FAILED_PRECONDITION: no /proc.
  static absl::StatusOr<std::shared_ptr<Participation>> Join(
      std::shared_ptr<MailboxParts> parts);

  // Leaves. The owner must have given back all its blocks.
  ~Participation();

  ParticipantToken token() const { return token_; }

  // Of the mailbox.
  static uint32_t Count(const MailboxParts& parts);

 private:
  Participation(std::shared_ptr<MailboxParts> parts, ProcessIdentity self)
      : parts_(std::move(parts)), self_(self) {}

  // An entry that was nobody's. False: there is none.
  bool TakeEntry();

  // Makes an entry of a full table free if it is full of the dead alone: else
  // the living see to it. Who has no entry has no name to repair under, so it
  // is done under the dead's own, by one process at a time; nobody else can be
  // there meanwhile. False: somebody is alive.
  bool MakeRoomAmongDead();

  // Watches those who have come, and mends what those have left who are gone.
  absl::Status LookAround();

  // On a reactor thread, where nobody hears of a failure: tries again later.
  void LookAroundUntilDone();

  void RepairAfter(uint32_t index, uint64_t entry);

  const std::shared_ptr<MailboxParts> parts_;
  const ProcessIdentity self_;
  ParticipantToken token_;
  uint64_t entry_ = 0;
  const int generation_ = ForkGeneration();

  absl::Mutex mu_;
  TouchWatch newcomers_ ABSL_GUARDED_BY(mu_);
  // By entry: what it was when the watch began.
  std::map<uint32_t, std::pair<uint64_t, ProcessWatch>> watched_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_PARTICIPATION_H_
