// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/mailbox_waiters.h"

#include <algorithm>
#include <system_error>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace grpc_shm {

struct MailboxWaiters::Line {
  Key key;
  std::deque<WaiterPtr> waiters;
  bool is_served = false;  // a thread does what the first one wants
  // Which that one blocks in; null: not opened yet.
  std::shared_ptr<Mailbox> mailbox;
};

absl::Status MailboxWaiters::ShuttingDown() {
  return absl::UnavailableError("the mailbox service is shutting down");
}

MailboxWaiters::MailboxWaiters(OpenMailboxes* mailboxes, size_t max_waiting,
                               size_t max_threads)
    : mailboxes_(mailboxes),
      max_waiting_(max_waiting),
      max_threads_(max_threads) {}

MailboxWaiters::~MailboxWaiters() {
  Shutdown();
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

void MailboxWaiters::Start(Side side, const std::string& name,
                           const WaiterPtr& waiter) {
  absl::Status status;
  {
    absl::MutexLock lock(&mu_);
    status = Enter({side, name}, waiter);
  }
  if (!status.ok()) waiter->Done(status);
}

absl::Status MailboxWaiters::Enter(const Key& key, const WaiterPtr& waiter) {
  if (shut_down_) return ShuttingDown();
  if (waiter->cancelled_) return absl::CancelledError();
  if (waiting_ == max_waiting_) {
    return absl::ResourceExhaustedError(
        absl::StrCat(max_waiting_,
                     " calls wait already "
                     "(MailboxServiceOptions::max_waiting)"));
  }
  std::unique_ptr<Line>& line = lines_[key];
  if (line == nullptr) {
    const absl::Status status = NeedThread();
    if (!status.ok()) {
      lines_.erase(key);
      return status;
    }
    line = std::make_unique<Line>();
    line->key = key;
    unserved_.push_back(line.get());
  }
  line->waiters.push_back(waiter);
  waiter->line_ = line.get();
  ++waiting_;
  return absl::OkStatus();
}

absl::Status MailboxWaiters::NeedThread() {
  if (idle_threads_ > unserved_.size()) return absl::OkStatus();
  if (threads_.size() == max_threads_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("calls wait at as many mailboxes as there are threads, ",
                     max_threads_, " (MailboxServiceOptions::max_threads)"));
  }
  try {
    threads_.emplace_back([this] { Run(); });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no thread to wait with: ", error.what()));
  }
  ++idle_threads_;
  return absl::OkStatus();
}

void MailboxWaiters::Cancel(const WaiterPtr& waiter) {
  {
    absl::MutexLock lock(&mu_);
    waiter->cancelled_ = true;
    Line* const line = waiter->line_;
    if (line == nullptr) return;
    if (line->is_served && line->waiters.front() == waiter) {
      // Its thread ends it.
      if (line->mailbox != nullptr) line->mailbox->Close();
      return;
    }
    line->waiters.erase(
        std::find(line->waiters.begin(), line->waiters.end(), waiter));
    waiter->line_ = nullptr;
    --waiting_;
  }
  waiter->Done(absl::CancelledError());
}

void MailboxWaiters::Shutdown() {
  absl::MutexLock lock(&mu_);
  shut_down_ = true;
  for (const auto& [key, line] : lines_) {
    if (line->mailbox != nullptr) line->mailbox->Close();
  }
}

void MailboxWaiters::Run() {
  absl::MutexLock lock(&mu_);
  const auto wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopped_ || !unserved_.empty();
  };
  for (;;) {
    mu_.Await(absl::Condition(&wanted));
    if (unserved_.empty()) return;
    Line* const line = unserved_.front();
    unserved_.pop_front();
    --idle_threads_;
    Serve(line);
    ++idle_threads_;
  }
}

void MailboxWaiters::Serve(Line* line) {
  line->is_served = true;
  while (!line->waiters.empty()) {
    WaiterPtr first = line->waiters.front();
    const absl::Status status = WaitForFirst(line, first);
    // Closed, or destroyed: of no use to the next.
    std::shared_ptr<Mailbox> useless;
    if (!status.ok() || first->cancelled_) useless.swap(line->mailbox);
    line->waiters.pop_front();
    first->line_ = nullptr;
    --waiting_;
    mu_.Unlock();
    useless.reset();
    first->Done(status);
    first.reset();
    mu_.Lock();
  }
  const std::shared_ptr<Mailbox> mailbox = std::move(line->mailbox);
  lines_.erase(lines_.find(line->key));
  if (mailbox == nullptr || shut_down_) return;
  mu_.Unlock();
  mailboxes_->Keep(mailbox);
  mu_.Lock();
}

absl::Status MailboxWaiters::WaitForFirst(Line* line, const WaiterPtr& first) {
  if (line->mailbox == nullptr) {
    mu_.Unlock();
    absl::StatusOr<std::shared_ptr<Mailbox>> mailbox =
        mailboxes_->Take(line->key.second);
    mu_.Lock();
    if (!mailbox.ok()) return mailbox.status();
    line->mailbox = *std::move(mailbox);
  }
  if (shut_down_) return ShuttingDown();
  if (first->cancelled_) return absl::CancelledError();
  const std::shared_ptr<Mailbox> mailbox = line->mailbox;
  mu_.Unlock();
  const absl::Status status = first->Wait(*mailbox);
  mu_.Lock();
  if (absl::IsCancelled(status) && shut_down_) return ShuttingDown();
  return status;
}

}  // namespace grpc_shm
