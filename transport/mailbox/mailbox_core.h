// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_CORE_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_CORE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "transport/base/fork.h"
#include "transport/link/spinner.h"
#include "transport/mailbox.h"
#include "transport/mailbox/block_pool.h"
#include "transport/mailbox/mailbox_parts.h"
#include "transport/mailbox/participation.h"
#include "transport/mailbox/rendezvous_exchange.h"

namespace grpc_shm {

// How long a call is ready to wait.
struct MailboxPatience {
  static MailboxPatience None() { return {false, absl::InfinitePast()}; }
  static MailboxPatience Until(absl::Time deadline) { return {true, deadline}; }

  bool waits;
  absl::Time deadline;  // unless !waits
};

// What a Mailbox, and its loans and messages, share: everything, by numbers of
// blocks. See transport/mailbox.h for what the operations do and how they fail.
//
// Threads: any, except that a block is used by one at a time. Loans and
// messages keep it alive, so that nobody's blocks are left when it goes.
class MailboxCore {
 public:
  static absl::StatusOr<std::shared_ptr<MailboxCore>> Attach(
      MailboxSegment segment, std::string name, WaitPolicy policy);

  MailboxCore(const MailboxCore&) = delete;
  MailboxCore& operator=(const MailboxCore&) = delete;

  const std::string& name() const { return name_; }
  const MailboxGeometry& geometry() const { return parts_->geometry(); }
  char* data(uint32_t block) const { return parts_->segment.block(block); }

  // A block for a message of `bytes` bytes.
  absl::StatusOr<uint32_t> Claim(uint64_t bytes, MailboxPatience patience);
  void Unclaim(uint32_t block) { Free(block); }

  // Sends a claimed block, which is gone in any case.
  absl::Status Post(uint32_t block, uint64_t bytes, MailboxPatience patience);

  struct Received {
    uint32_t block;
    bool redelivered;
    uint64_t bytes;
    pid_t sender;
  };
  absl::StatusOr<Received> Take(MailboxPatience patience);

  // A received block is done with, or goes back.
  void Acknowledge(uint32_t block) { Free(block); }
  void GiveBack(uint32_t block);

  void Close();

  MailboxInfo Describe() const;

 private:
  // kNotYet: it may be worth waiting.
  enum class Attempt { kDone, kNotYet, kFailed };

  MailboxCore(std::shared_ptr<MailboxParts> parts,
              std::shared_ptr<Participation> participation, std::string name,
              WaitPolicy policy);

  // In a child that was forked since: the parent goes on with its own.
  bool IsParents() const { return generation_ != ForkGeneration(); }

  void Free(uint32_t block) {
    if (!IsParents()) pool_.Free(block);
  }

  // Why no operation succeeds any more, if so.
  absl::Status Ended() const;
  absl::Status Damaged() const;

  // Nothing came of it.
  absl::Status InVain(MailboxPatience patience, absl::string_view what) const;

  // Tries, and waits in between: awake while that is worth it, and then asleep
  // until `event`. `attempt` returns an Attempt; `look` is a cheap sign that it
  // might succeed. kNotYet: the patience has come to its end.
  template <class Attempting, class Look>
  Attempt Await(Eventcount& event, Spinner& spinner, MailboxPatience patience,
                Attempting attempt, Look look);

  absl::Status PostInRendezvous(uint32_t block, MailboxPatience patience);
  absl::StatusOr<Received> TakeInRendezvous(MailboxPatience patience);
  bool HaveReturned() const;
  bool TakeReturned(uint32_t* block);
  absl::StatusOr<Received> Checked(Received received);

  // The participation outlives what names it, and the parts all.
  const std::shared_ptr<MailboxParts> parts_;
  const std::shared_ptr<Participation> participation_;
  const std::string name_;
  const uint32_t pid_;
  const int generation_ = ForkGeneration();
  BlockPool pool_;
  RendezvousExchange exchange_;
  Spinner message_spinner_;
  Spinner room_spinner_;
  std::atomic<bool> closed_{false};
  // As many of the mailbox's returns as had been dealt with when looked at.
  std::atomic<uint64_t> seen_returns_{0};
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_CORE_H_
