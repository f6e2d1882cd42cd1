// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/open_mailboxes.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grpc_shm {
namespace {

absl::StatusOr<std::shared_ptr<Mailbox>> Open(const std::string& name) {
  OpenMailboxOptions options;
  // What takes a network's time is not worth waiting awake for.
  options.wait_policy = WaitPolicy::kNever;
  absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
      Mailbox::Open(absl::StrCat("mailbox:", name), options);
  if (!mailbox.ok()) return mailbox.status();
  return std::shared_ptr<Mailbox>(*std::move(mailbox));
}

}  // namespace

absl::Status OpenMailboxes::Use(const std::string& name,
                                absl::FunctionRef<absl::Status(Mailbox&)> use) {
  if (const MailboxPtr known = Find(name, /*take=*/false)) {
    const absl::Status status = use(*known);
    if (!absl::IsNotFound(status)) return status;
    Forget(name);
  }
  absl::StatusOr<MailboxPtr> opened = Open(name);
  if (!opened.ok()) return opened.status();
  const absl::Status status = use(**opened);
  if (!absl::IsNotFound(status)) Keep(*std::move(opened));
  return status;
}

absl::StatusOr<OpenMailboxes::MailboxPtr> OpenMailboxes::Take(
    const std::string& name) {
  if (MailboxPtr known = Find(name, /*take=*/true)) return known;
  return Open(name);
}

void OpenMailboxes::Keep(MailboxPtr mailbox) {
  std::list<MailboxPtr> dropped;  // closed without the lock
  absl::MutexLock lock(&mu_);
  mailboxes_.push_front(std::move(mailbox));
  if (mailboxes_.size() > max_open_) {
    dropped.splice(dropped.end(), mailboxes_, std::prev(mailboxes_.end()));
  }
}

void OpenMailboxes::Forget(const std::string& name) {
  std::list<MailboxPtr> forgotten;  // closed without the lock
  absl::MutexLock lock(&mu_);
  for (auto it = mailboxes_.begin(); it != mailboxes_.end();) {
    const auto mailbox = it++;
    if ((*mailbox)->name() == name) {
      forgotten.splice(forgotten.end(), mailboxes_, mailbox);
    }
  }
}

OpenMailboxes::MailboxPtr OpenMailboxes::Find(const std::string& name,
                                              bool take) {
  absl::MutexLock lock(&mu_);
  const auto it = std::find_if(
      mailboxes_.begin(), mailboxes_.end(),
      [&](const MailboxPtr& mailbox) { return mailbox->name() == name; });
  if (it == mailboxes_.end()) return nullptr;
  MailboxPtr mailbox = *it;
  if (take) {
    mailboxes_.erase(it);
  } else {
    mailboxes_.splice(mailboxes_.begin(), mailboxes_, it);
  }
  return mailbox;
}

}  // namespace grpc_shm
