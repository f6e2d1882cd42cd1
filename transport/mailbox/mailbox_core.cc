// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/mailbox_core.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "transport/base/monotonic_clock.h"
#include "transport/mailbox/describe.h"

namespace grpc_shm {
namespace {

SpinPolicy ToSpinPolicy(WaitPolicy policy) {
  switch (policy) {
    case WaitPolicy::kNever:
      return SpinPolicy::kNever;
    case WaitPolicy::kBusy:
      return SpinPolicy::kBusy;
    case WaitPolicy::kAdaptive:
      break;
  }
  return SpinPolicy::kAdaptive;
}

// As MonotonicNanos.
int64_t Monotonic(absl::Time deadline) {
  if (deadline == absl::InfiniteFuture()) return Futex::kNever;
  const int64_t left = absl::ToInt64Nanoseconds(deadline - absl::Now());
  const int64_t now = MonotonicNanos();
  if (left <= 0) return now;
  return left < Futex::kNever - now ? now + left : Futex::kNever;
}

}  // namespace

absl::StatusOr<std::shared_ptr<MailboxCore>> MailboxCore::Attach(
    MailboxSegment segment, std::string name, WaitPolicy policy) {
  if (IsForkedChild()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "mailbox:", name,
        ": this process was forked from one that had used grpc-shm; exec a "
        "program in the child, or use it only after the fork"));
  }
  auto parts = std::make_shared<MailboxParts>(std::move(segment));
  absl::StatusOr<std::shared_ptr<Participation>> participation =
      Participation::Join(parts);
  if (!participation.ok()) {
    return absl::Status(
        participation.status().code(),
        absl::StrCat("mailbox:", name, ": ", participation.status().message()));
  }
  return std::shared_ptr<MailboxCore>(new MailboxCore(
      std::move(parts), *std::move(participation), std::move(name), policy));
}

MailboxCore::MailboxCore(std::shared_ptr<MailboxParts> parts,
                         std::shared_ptr<Participation> participation,
                         std::string name, WaitPolicy policy)
    : parts_(std::move(parts)),
      participation_(std::move(participation)),
      name_(std::move(name)),
      pid_(static_cast<uint32_t>(getpid())),
      pool_(parts_.get(), participation_->token()),
      exchange_(parts_.get(), participation_->token()),
      message_spinner_(ToSpinPolicy(policy)),
      room_spinner_(ToSpinPolicy(policy)) {}

absl::Status MailboxCore::Ended() const {
  if (IsParents()) {
    return absl::FailedPreconditionError(
        absl::StrCat("mailbox:", name_,
                     " was opened before this process was forked; what the "
                     "parent has is not for its child"));
  }
  // Acquire: what whoever ended it did before. Sleepers are woken by an
  // Eventcount, which orders both.
  if (closed_.load(std::memory_order_acquire)) {
    return absl::CancelledError(
        absl::StrCat("mailbox:", name_, " was closed in this process"));
  }
  if (parts_->control->state.destroyed.load(std::memory_order_acquire) != 0) {
    return absl::NotFoundError(
        absl::StrCat("mailbox:", name_, " has been destroyed"));
  }
  return absl::OkStatus();
}

absl::Status MailboxCore::Damaged() const {
  return absl::DataLossError(
      absl::StrCat("the shared memory of mailbox:", name_,
                   " is damaged; destroy it and find out who writes to it"));
}

absl::Status MailboxCore::InVain(MailboxPatience patience,
                                 absl::string_view what) const {
  const std::string message = absl::StrCat("mailbox:", name_, ": ", what);
  return patience.waits ? absl::DeadlineExceededError(message)
                        : absl::UnavailableError(message);
}

template <class Attempting, class Look>
MailboxCore::Attempt MailboxCore::Await(Eventcount& event, Spinner& spinner,
                                        MailboxPatience patience,
                                        Attempting attempt, Look look) {
  Attempt result = attempt();
  if (result != Attempt::kNotYet || !patience.waits) return result;
  const int64_t deadline = Monotonic(patience.deadline);
  while (true) {
    const int64_t now = MonotonicNanos();
    if (now >= deadline) return attempt();
    // The clock is looked at only by who may come to the end while awake.
    const bool ends_soon =
        deadline - now < absl::ToInt64Nanoseconds(Spinner::kBusyBound);
    const auto may_succeed = [&] {
      return look() || !Ended().ok() ||
             (ends_soon && MonotonicNanos() >= deadline);
    };
    if (spinner.WorthIt() && spinner.Wait(may_succeed)) {
      result = attempt();
      if (result != Attempt::kNotYet) return result;
      continue;
    }
    const uint32_t key = event.Arm();
    result = attempt();
    if (result != Attempt::kNotYet) return result;
    event.Sleep(key, deadline);
    result = attempt();
    if (result == Attempt::kNotYet) continue;
    // Whoever woke this thread meant somebody who goes on.
    if (result == Attempt::kFailed) event.NotifyOne();
    return result;
  }
}

absl::StatusOr<uint32_t> MailboxCore::Claim(uint64_t bytes,
                                            MailboxPatience patience) {
  if (bytes > geometry().max_message_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "a message of ", bytes, " bytes is too large for mailbox:", name_,
        ", which takes up to ", geometry().max_message_bytes));
  }
  uint32_t block = 0;
  absl::Status failure;
  const auto attempt = [&] {
    failure = Ended();
    if (!failure.ok()) return Attempt::kFailed;
    switch (pool_.Claim(bytes, &block)) {
      case BlockPool::Result::kDone:
        return Attempt::kDone;
      case BlockPool::Result::kNone:
        if (!geometry().unbounded()) return Attempt::kNotYet;
        [[fallthrough]];
      case BlockPool::Result::kExhausted:
        failure = absl::ResourceExhaustedError(absl::StrCat(
            "no memory for another message in mailbox:", name_,
            ": its max_memory_bytes are ", geometry().max_memory_bytes,
            ", or shared memory is full"));
        return Attempt::kFailed;
      case BlockPool::Result::kDamaged:
        break;
    }
    failure = Damaged();
    return Attempt::kFailed;
  };
  switch (Await(parts_->room_event, room_spinner_, patience, attempt,
                [this] { return !pool_.LooksUsedUp(); })) {
    case Attempt::kDone:
      return block;
    case Attempt::kNotYet:
      return InVain(patience, "no room for another message");
    case Attempt::kFailed:
      break;
  }
  return failure;
}

absl::Status MailboxCore::Post(uint32_t block, uint64_t bytes,
                               MailboxPatience patience) {
  absl::Status ended = Ended();
  if (!ended.ok()) {
    Unclaim(block);
    return ended;
  }
  BlockEntry& entry = parts_->entries[block];
  entry.size = bytes;
  entry.sender = pid_;
  if (geometry().rendezvous()) return PostInRendezvous(block, patience);
  if (parts_->messages.Put(block, participation_->token()) !=
      OrderQueue::Result::kDone) {
    return Damaged();
  }
  parts_->message_event.NotifyOne();
  return absl::OkStatus();
}

absl::Status MailboxCore::PostInRendezvous(uint32_t block,
                                           MailboxPatience patience) {
  if (exchange_.Give(block)) return absl::OkStatus();
  constexpr absl::string_view kNobody = "no receiver takes the message";
  if (!patience.waits) {
    Unclaim(block);
    return InVain(patience, kNobody);
  }
  const uint64_t posted = exchange_.Post(block);
  const auto taken = [&] { return exchange_.IsTaken(block, posted); };
  absl::Status failure;
  const Attempt result = Await(
      parts_->room_event, room_spinner_, patience,
      [&] {
        if (taken()) return Attempt::kDone;
        failure = Ended();
        return failure.ok() ? Attempt::kNotYet : Attempt::kFailed;
      },
      taken);
  if (result == Attempt::kDone || !exchange_.Withdraw(block, posted)) {
    return absl::OkStatus();
  }
  Unclaim(block);
  return result == Attempt::kFailed ? failure : InVain(patience, kNobody);
}

absl::StatusOr<MailboxCore::Received> MailboxCore::Take(
    MailboxPatience patience) {
  if (geometry().rendezvous()) return TakeInRendezvous(patience);
  Received received{};
  absl::Status failure;
  const auto attempt = [&] {
    failure = Ended();
    if (!failure.ok()) return Attempt::kFailed;
    received.redelivered = TakeReturned(&received.block);
    if (received.redelivered) return Attempt::kDone;
    switch (parts_->messages.Take(BlockKind::kTaken, participation_->token(),
                                  &received.block)) {
      case OrderQueue::Result::kDone:
        return Attempt::kDone;
      case OrderQueue::Result::kEmpty:
        return Attempt::kNotYet;
      case OrderQueue::Result::kDamaged:
        break;
    }
    failure = Damaged();
    return Attempt::kFailed;
  };
  switch (
      Await(parts_->message_event, message_spinner_, patience, attempt,
            [this] { return !parts_->messages.Empty() || HaveReturned(); })) {
    case Attempt::kDone:
      return Checked(received);
    case Attempt::kNotYet:
      return InVain(patience, "no message");
    case Attempt::kFailed:
      break;
  }
  return failure;
}

absl::StatusOr<MailboxCore::Received> MailboxCore::TakeInRendezvous(
    MailboxPatience patience) {
  Received received{};
  absl::Status failure;
  const auto take = [&] {
    failure = Ended();
    if (!failure.ok()) return Attempt::kFailed;
    received.redelivered = TakeReturned(&received.block);
    return received.redelivered || exchange_.Take(&received.block)
               ? Attempt::kDone
               : Attempt::kNotYet;
  };
  while (true) {
    Attempt result = take();
    if (result == Attempt::kNotYet && patience.waits) {
      const uint32_t slot = exchange_.Enter();
      const auto somebody = [&] {
        return exchange_.HasGot(slot) || HaveReturned() ||
               exchange_.AnyPosted();
      };
      result = Await(
          parts_->message_event, message_spinner_, patience,
          [&] {
            if (somebody()) return Attempt::kDone;
            failure = Ended();
            return failure.ok() ? Attempt::kNotYet : Attempt::kFailed;
          },
          somebody);
      switch (exchange_.Leave(slot, &received.block)) {
        case RendezvousExchange::Got::kBlock:
          received.redelivered = false;
          return Checked(received);
        case RendezvousExchange::Got::kDamaged:
          return Damaged();
        case RendezvousExchange::Got::kNothing:
          break;
      }
      // Somebody else may have been faster than this.
      if (result == Attempt::kDone) {
        result = take();
        if (result == Attempt::kNotYet) continue;
      }
    }
    switch (result) {
      case Attempt::kDone:
        return Checked(received);
      case Attempt::kNotYet:
        return InVain(patience, "no sender has a message");
      case Attempt::kFailed:
        return failure;
    }
  }
}

bool MailboxCore::HaveReturned() const {
  // Sequentially consistent with who returns one, and then looks for sleepers.
  return parts_->control->state.returns.load(std::memory_order_seq_cst) !=
         // Relaxed: this process's own note.
         seen_returns_.load(std::memory_order_relaxed);
}

// The oldest of the messages that have come back.
bool MailboxCore::TakeReturned(uint32_t* block) {
  MailboxState& mailbox = parts_->control->state;
  const uint64_t returns = mailbox.returns.load(std::memory_order_seq_cst);
  if (returns == seen_returns_.load(std::memory_order_relaxed)) return false;
  while (true) {
    uint64_t oldest = 0;
    uint64_t position = 0;
    bool found = false;
    for (uint32_t i = 0; i < parts_->blocks; ++i) {
      const uint64_t seen =
          parts_->entries[i].state.load(std::memory_order_acquire);
      const BlockState state = BlockState::Unpack(seen);
      if (state.kind != BlockKind::kReturned) continue;
      if (found && !BlockState::IsBefore(state.position, position)) continue;
      found = true;
      position = state.position;
      oldest = seen;
      *block = i;
    }
    if (!found) {
      // Of so many none is left. One that has come meanwhile counts anew.
      seen_returns_.store(returns, std::memory_order_relaxed);
      return false;
    }
    // Acquire: the message.
    if (parts_->entries[*block].state.compare_exchange_strong(
            oldest,
            BlockState{BlockKind::kTaken, participation_->token(), position}
                .Pack(),
            std::memory_order_acq_rel, std::memory_order_relaxed)) {
      // Relaxed: a number to look at.
      mailbox.redelivered.fetch_add(1, std::memory_order_relaxed);
      return true;
    }
  }
}

// Nothing that another process wrote is believed.
absl::StatusOr<MailboxCore::Received> MailboxCore::Checked(Received received) {
  received.bytes = parts_->entries[received.block].size;
  received.sender = static_cast<pid_t>(parts_->entries[received.block].sender);
  if (received.bytes <= geometry().max_message_bytes) return received;
  pool_.FreeUnknown(received.block);
  return Damaged();
}

void MailboxCore::GiveBack(uint32_t block) {
  if (IsParents()) return;
  auto& state = parts_->entries[block].state;
  // Relaxed: it is this object's own.
  const uint64_t position =
      BlockState::Unpack(state.load(std::memory_order_relaxed)).position;
  state.store(
      BlockState{BlockKind::kReturned, participation_->token(), position}
          .Pack(),
      std::memory_order_seq_cst);
  parts_->control->state.returns.fetch_add(1, std::memory_order_seq_cst);
  parts_->message_event.NotifyOne();
}

void MailboxCore::Close() {
  if (IsParents()) return;
  closed_.store(true, std::memory_order_seq_cst);
  WakeEverybody(*parts_->control);
}

MailboxInfo MailboxCore::Describe() const {
  return grpc_shm::Describe(*parts_, name_);
}

}  // namespace grpc_shm
