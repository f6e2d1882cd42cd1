// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/benchmark/mailbox/queue.h"
#include "transport/mailbox.h"

namespace grpc_shm::bench::mailbox {
namespace {

std::string AddressOf(const std::string& name) {
  return absl::StrCat("mailbox:", name);
}

class MailboxQueue : public Queue {
 public:
  MailboxQueue(std::unique_ptr<Mailbox> mailbox, size_t max_message_bytes)
      : mailbox_(std::move(mailbox)), buffer_(max_message_bytes, '\0') {}

  absl::Status Send(size_t bytes, Writer writer) override {
    writer(buffer_.data());
    return mailbox_->Send(absl::string_view(buffer_.data(), bytes));
  }

  absl::Status Receive(Reader reader) override {
    absl::StatusOr<Mailbox::Message> message = mailbox_->Receive();
    if (!message.ok()) return message.status();
    const absl::Status status = reader(message->view());
    message->Acknowledge();
    return status;
  }

 protected:
  const std::unique_ptr<Mailbox> mailbox_;

 private:
  std::string buffer_;
};

class MailboxLoanQueue : public MailboxQueue {
 public:
  using MailboxQueue::MailboxQueue;

  absl::Status Send(size_t bytes, Writer writer) override {
    absl::StatusOr<Mailbox::Loan> loan = mailbox_->LoanFor(bytes);
    if (!loan.ok()) return loan.status();
    writer(loan->data());
    return mailbox_->Send(*std::move(loan));
  }
};

absl::Status Create(const std::string& name, const QueueSize& size) {
  MailboxOptions options;
  options.capacity =
      MailboxCapacity::Bounded(static_cast<uint32_t>(size.capacity));
  options.max_message_bytes = size.max_message_bytes;
  return Mailbox::Create(AddressOf(name), options).status();
}

template <class QueueClass>
absl::StatusOr<std::unique_ptr<Queue>> Open(const std::string& name,
                                            const QueueSize& size) {
  absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
      Mailbox::Open(AddressOf(name));
  if (!mailbox.ok()) return mailbox.status();
  return std::make_unique<QueueClass>(*std::move(mailbox),
                                      size.max_message_bytes);
}

void Remove(const std::string& name) {
  Mailbox::Destroy(AddressOf(name)).IgnoreError();
}

}  // namespace

QueueKind MailboxQueues() {
  return {"mailbox", "copy", Create, Open<MailboxQueue>, Remove, true};
}

QueueKind MailboxLoanQueues() {
  return {"mailbox_loan",         "in place", Create,
          Open<MailboxLoanQueue>, Remove,     true};
}

}  // namespace grpc_shm::bench::mailbox
