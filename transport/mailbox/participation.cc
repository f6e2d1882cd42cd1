// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/participation.h"

#include <sys/file.h>

#include <atomic>
#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "transport/link/reactor.h"
#include "transport/mailbox/block_pool.h"
#include "transport/mailbox/repair.h"

namespace grpc_shm {
namespace {

// For a process that has run out of descriptors and could not watch another.
constexpr absl::Duration kRetryDelay = absl::Seconds(1);

ProcessIdentity IdentityOf(ParticipantWord word) {
  return {word.pid, word.start};
}

// Of the file, between processes; the kernel takes it back from who dies.
class FileLock {
 public:
  explicit FileLock(int fd) : fd_(fd) {
    while (flock(fd_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  ~FileLock() { flock(fd_, LOCK_UN); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  const int fd_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<Participation>> Participation::Join(
    std::shared_ptr<MailboxParts> parts) {
  absl::StatusOr<ProcessIdentity> self = ProcessIdentity::OfThisProcess();
  if (!self.ok()) return self.status();
  std::shared_ptr<Participation> joined(
      new Participation(std::move(parts), *self));
  while (!joined->TakeEntry()) {
    if (!joined->MakeRoomAmongDead()) {
      return absl::ResourceExhaustedError(absl::StrCat(
          kMaxParticipants, " Mailbox objects have it open already"));
    }
  }
  const int fd = joined->parts_->segment.fd();
  // First the watch, then the look, then the touch: of two who join at once one
  // sees the other, and is seen.
  absl::StatusOr<TouchWatch> newcomers =
      TouchWatch::Start(fd, [weak = std::weak_ptr<Participation>(joined)] {
        if (auto self = weak.lock()) self->LookAroundUntilDone();
      });
  if (!newcomers.ok()) return newcomers.status();
  {
    absl::MutexLock lock(&joined->mu_);
    joined->newcomers_ = *std::move(newcomers);
  }
  absl::Status status = TouchWatch::Touch(fd);
  if (!status.ok()) return status;
  status = joined->LookAround();
  if (!status.ok()) return status;
  return joined;
}

Participation::~Participation() {
  if (entry_ == 0 || generation_ != ForkGeneration()) return;
  // Release: who takes it next sees all that was done under it.
  parts_->control->participants[token_.index].compare_exchange_strong(
      entry_, ParticipantWord::After(token_.generation).Pack(),
      std::memory_order_release, std::memory_order_relaxed);
}

uint32_t Participation::Count(const MailboxParts& parts) {
  uint32_t count = 0;
  for (const std::atomic<uint64_t>& participant : parts.control->participants) {
    // Relaxed: a number to look at.
    const uint64_t word = participant.load(std::memory_order_relaxed);
    if (ParticipantWord::Unpack(word).pid != 0) ++count;
  }
  return count;
}

bool Participation::TakeEntry() {
  for (uint32_t i = 0; i < kMaxParticipants; ++i) {
    std::atomic<uint64_t>& participant = parts_->control->participants[i];
    uint64_t seen = participant.load(std::memory_order_relaxed);
    const ParticipantWord word = ParticipantWord::Unpack(seen);
    if (word.pid != 0) continue;
    const uint64_t mine =
        ParticipantWord{self_.pid, self_.start, word.generation}.Pack();
    // Acquire: what was mended before it was given up.
    if (participant.compare_exchange_strong(
            seen, mine, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      token_ = {i, word.generation};
      entry_ = mine;
      return true;
    }
  }
  return false;
}

bool Participation::MakeRoomAmongDead() {
  const FileLock lock(parts_->segment.fd());
  for (const std::atomic<uint64_t>& participant :
       parts_->control->participants) {
    const ParticipantWord word =
        ParticipantWord::Unpack(participant.load(std::memory_order_acquire));
    if (word.pid == 0) return true;
    if (!absl::IsNotFound(OpenProcess(IdentityOf(word)).status())) return false;
  }
  const uint64_t entry =
      parts_->control->participants[0].load(std::memory_order_acquire);
  const ParticipantToken dead{0, ParticipantWord::Unpack(entry).generation};
  BlockPool pool(parts_.get(), dead);
  Repair(*parts_, pool, dead, 0, entry);
  return true;
}

absl::Status Participation::LookAround() {
  std::vector<std::pair<uint32_t, uint64_t>> gone;
  absl::Status status;
  {
    // Watches that are not needed any more: destroyed without the lock.
    std::vector<ProcessWatch> dropped;
    absl::MutexLock lock(&mu_);
    for (uint32_t i = 0; i < kMaxParticipants; ++i) {
      const uint64_t entry =
          parts_->control->participants[i].load(std::memory_order_acquire);
      auto it = watched_.find(i);
      if (it != watched_.end()) {
        if (it->second.first == entry) continue;
        dropped.push_back(std::move(it->second.second));
        watched_.erase(it);
      }
      const ParticipantWord word = ParticipantWord::Unpack(entry);
      if (word.pid == 0 || IdentityOf(word) == self_) continue;
      absl::StatusOr<ProcessWatch> watch = ProcessWatch::Start(
          IdentityOf(word), [weak = weak_from_this(), index = i, entry] {
            if (auto self = weak.lock()) self->RepairAfter(index, entry);
          });
      if (watch.ok()) {
        watched_.emplace(i, std::make_pair(entry, *std::move(watch)));
      } else if (absl::IsNotFound(watch.status())) {
        gone.emplace_back(i, entry);
      } else {
        status = watch.status();
      }
    }
  }
  for (const auto& [index, entry] : gone) RepairAfter(index, entry);
  return status;
}

void Participation::LookAroundUntilDone() {
  if (LookAround().ok()) return;
  Reactor::Get().After(kRetryDelay, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->LookAroundUntilDone();
  });
}

void Participation::RepairAfter(uint32_t index, uint64_t entry) {
  BlockPool pool(parts_.get(), token_);
  Repair(*parts_, pool, token_, index, entry);
}

}  // namespace grpc_shm
