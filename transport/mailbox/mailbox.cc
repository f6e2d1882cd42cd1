// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "transport/link/address.h"
#include "transport/mailbox/describe.h"
#include "transport/mailbox/geometry.h"
#include "transport/mailbox/mailbox_core.h"
#include "transport/mailbox/mailbox_directory.h"
#include "transport/mailbox/mailbox_segment.h"

namespace grpc_shm {
namespace {

absl::StatusOr<gid_t> GroupFor(const MailboxOptions& options) {
  if (options.mode == 0600) return kNoGroup;
  if (options.mode != 0660) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "a mailbox's mode is 0600 or 0660, not %04o", options.mode));
  }
  return options.group == kNoGroup ? getegid() : options.group;
}

absl::StatusOr<MailboxDirectory> OpenDirectory(
    absl::string_view name, const OpenMailboxOptions& options) {
  const uid_t owner =
      options.owner == static_cast<uid_t>(-1) ? geteuid() : options.owner;
  absl::StatusOr<MailboxDirectory> directory =
      MailboxDirectory::Open(owner, options.group);
  if (absl::IsNotFound(directory.status())) {
    return absl::NotFoundError(absl::StrCat("there is no mailbox:", name));
  }
  return directory;
}

absl::Status NotALoanOf(const MailboxCore& core) {
  return absl::InvalidArgumentError(
      absl::StrCat("not a loan of this object for mailbox:", core.name()));
}

}  // namespace

Mailbox::Mailbox(std::shared_ptr<MailboxCore> core) : core_(std::move(core)) {}

Mailbox::~Mailbox() { Close(); }

absl::StatusOr<std::unique_ptr<Mailbox>> Mailbox::Create(
    absl::string_view address, const MailboxOptions& options) {
  absl::StatusOr<std::string> name = ParseMailboxAddress(address);
  if (!name.ok()) return name.status();
  absl::StatusOr<gid_t> group = GroupFor(options);
  if (!group.ok()) return group.status();
  absl::StatusOr<MailboxGeometry> geometry = MailboxGeometry::Of(
      options.capacity, options.max_message_bytes, options.max_memory_bytes);
  if (!geometry.ok()) return geometry.status();
  while (true) {
    absl::StatusOr<MailboxDirectory> directory = MailboxDirectory::Make(*group);
    if (!directory.ok()) return directory.status();
    absl::StatusOr<MailboxSegment> segment =
        MailboxSegment::Create(*directory, *name, *geometry, options.mode);
    if (absl::IsNotFound(segment.status())) {
      continue;  // the directory was removed with its last mailbox meanwhile
    }
    if (!segment.ok()) {
      directory->RemoveIfEmpty();
      return segment.status();
    }
    absl::StatusOr<std::shared_ptr<MailboxCore>> core =
        MailboxCore::Attach(*std::move(segment), *name, options.wait_policy);
    if (!core.ok()) {
      MailboxSegment::Destroy(*directory, *name).IgnoreError();
      directory->RemoveIfEmpty();
      return core.status();
    }
    return std::unique_ptr<Mailbox>(new Mailbox(*std::move(core)));
  }
}

absl::StatusOr<std::unique_ptr<Mailbox>> Mailbox::Open(
    absl::string_view address, const OpenMailboxOptions& options) {
  absl::StatusOr<std::string> name = ParseMailboxAddress(address);
  if (!name.ok()) return name.status();
  absl::StatusOr<MailboxDirectory> directory = OpenDirectory(*name, options);
  if (!directory.ok()) return directory.status();
  absl::StatusOr<MailboxSegment> segment =
      MailboxSegment::Open(*directory, *name);
  if (!segment.ok()) return segment.status();
  absl::StatusOr<std::shared_ptr<MailboxCore>> core =
      MailboxCore::Attach(*std::move(segment), *name, options.wait_policy);
  if (!core.ok()) return core.status();
  return std::unique_ptr<Mailbox>(new Mailbox(*std::move(core)));
}

absl::Status Mailbox::Destroy(absl::string_view address,
                              const OpenMailboxOptions& options) {
  absl::StatusOr<std::string> name = ParseMailboxAddress(address);
  if (!name.ok()) return name.status();
  absl::StatusOr<MailboxDirectory> directory = OpenDirectory(*name, options);
  if (!directory.ok()) return directory.status();
  absl::Status status = MailboxSegment::Destroy(*directory, *name);
  if (status.ok()) directory->RemoveIfEmpty();
  return status;
}

absl::StatusOr<std::vector<MailboxInfo>> Mailbox::List() {
  std::vector<MailboxInfo> mailboxes;
  for (const gid_t group : MailboxDirectory::Groups()) {
    absl::StatusOr<MailboxDirectory> directory =
        MailboxDirectory::Open(geteuid(), group);
    if (absl::IsNotFound(directory.status())) continue;
    if (!directory.ok()) return directory.status();
    for (const std::string& name : directory->Names()) {
      absl::StatusOr<MailboxSegment> segment =
          MailboxSegment::Open(*directory, name);
      if (!segment.ok()) continue;
      const MailboxParts parts(*std::move(segment));
      mailboxes.push_back(grpc_shm::Describe(parts, name));
    }
  }
  std::stable_sort(mailboxes.begin(), mailboxes.end(),
                   [](const MailboxInfo& a, const MailboxInfo& b) {
                     return a.name < b.name;
                   });
  return mailboxes;
}

absl::StatusOr<Mailbox::Loan> Mailbox::Lend(size_t bytes, bool waits,
                                            absl::Time deadline) {
  absl::StatusOr<uint32_t> block =
      core_->Claim(bytes, waits ? MailboxPatience::Until(deadline)
                                : MailboxPatience::None());
  if (!block.ok()) return block.status();
  Loan loan;
  loan.core_ = core_;
  loan.block_ = *block;
  loan.data_ = core_->data(*block);
  loan.size_ = bytes;
  return loan;
}

absl::StatusOr<Mailbox::Loan> Mailbox::LoanFor(size_t bytes,
                                               absl::Time deadline) {
  return Lend(bytes, /*waits=*/true, deadline);
}

absl::StatusOr<Mailbox::Loan> Mailbox::TryLoanFor(size_t bytes) {
  return Lend(bytes, /*waits=*/false, absl::InfinitePast());
}

absl::Status Mailbox::Send(Loan loan, absl::Time deadline) {
  if (loan.core_ != core_) return NotALoanOf(*core_);
  loan.core_.reset();  // the block goes its own way from here on
  return core_->Post(loan.block_, loan.size_, MailboxPatience::Until(deadline));
}

absl::Status Mailbox::TrySend(Loan loan) {
  if (loan.core_ != core_) return NotALoanOf(*core_);
  loan.core_.reset();
  return core_->Post(loan.block_, loan.size_, MailboxPatience::None());
}

absl::Status Mailbox::SendCopy(absl::string_view message, bool waits,
                               absl::Time deadline) {
  const MailboxPatience patience =
      waits ? MailboxPatience::Until(deadline) : MailboxPatience::None();
  absl::StatusOr<uint32_t> block = core_->Claim(message.size(), patience);
  if (!block.ok()) return block.status();
  if (!message.empty()) {
    std::memcpy(core_->data(*block), message.data(), message.size());
  }
  return core_->Post(*block, message.size(), patience);
}

absl::Status Mailbox::Send(absl::string_view message, absl::Time deadline) {
  return SendCopy(message, /*waits=*/true, deadline);
}

absl::Status Mailbox::TrySend(absl::string_view message) {
  return SendCopy(message, /*waits=*/false, absl::InfinitePast());
}

absl::StatusOr<Mailbox::Message> Mailbox::Fetch(bool waits,
                                                absl::Time deadline) {
  absl::StatusOr<MailboxCore::Received> received = core_->Take(
      waits ? MailboxPatience::Until(deadline) : MailboxPatience::None());
  if (!received.ok()) return received.status();
  Message message;
  message.core_ = core_;
  message.block_ = received->block;
  message.data_ = core_->data(received->block);
  message.size_ = received->bytes;
  message.redelivered_ = received->redelivered;
  message.sender_ = received->sender;
  return message;
}

absl::StatusOr<Mailbox::Message> Mailbox::Receive(absl::Time deadline) {
  return Fetch(/*waits=*/true, deadline);
}

absl::StatusOr<Mailbox::Message> Mailbox::TryReceive() {
  return Fetch(/*waits=*/false, absl::InfinitePast());
}

void Mailbox::Close() { core_->Close(); }

MailboxInfo Mailbox::Describe() const { return core_->Describe(); }

const std::string& Mailbox::name() const { return core_->name(); }

size_t Mailbox::max_message_bytes() const {
  return core_->geometry().max_message_bytes;
}

Mailbox::Loan& Mailbox::Loan::operator=(Loan&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  core_ = std::move(other.core_);
  block_ = other.block_;
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

void Mailbox::Loan::Reset() {
  if (core_ == nullptr) return;
  core_->Unclaim(block_);
  core_.reset();
  data_ = nullptr;
  size_ = 0;
}

Mailbox::Message& Mailbox::Message::operator=(Message&& other) noexcept {
  if (this == &other) return *this;
  GiveBack();
  core_ = std::move(other.core_);
  block_ = other.block_;
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  redelivered_ = other.redelivered_;
  sender_ = other.sender_;
  return *this;
}

void Mailbox::Message::Acknowledge() {
  if (core_ == nullptr) return;
  core_->Acknowledge(block_);
  Forget();
}

void Mailbox::Message::GiveBack() {
  if (core_ == nullptr) return;
  core_->GiveBack(block_);
  Forget();
}

void Mailbox::Message::Forget() {
  core_.reset();
  data_ = nullptr;
  size_ = 0;
}

}  // namespace grpc_shm
