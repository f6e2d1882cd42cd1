// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_OPEN_MAILBOXES_H_
#define GRPC_SHM_TRANSPORT_GRPC_OPEN_MAILBOXES_H_

#include <cstddef>
#include <list>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "transport/mailbox.h"

namespace grpc_shm {

// Access to this process's user's mailboxes: those that were used last are kept
// open. Names are without "mailbox:". Threads: any.
class OpenMailboxes {
 public:
  using MailboxPtr = std::shared_ptr<Mailbox>;

  explicit OpenMailboxes(size_t max_open) : max_open_(max_open) {}

  // What `use` returns for the mailbox of that name, or why there is none. Is
  // called once more if the mailbox turns out to have been destroyed and there
  // is another of that name now.
  absl::Status Use(const std::string& name,
                   absl::FunctionRef<absl::Status(Mailbox&)> use);

  // An object for the caller alone, who may close it. What Use has found to be
  // destroyed is not among them.
  absl::StatusOr<MailboxPtr> Take(const std::string& name);
  // For others to use; it is not closed.
  void Keep(MailboxPtr mailbox);

  void Forget(const std::string& name);

 private:
  // The one of that name that was used last; null if there is none.
  MailboxPtr Find(const std::string& name, bool take);

  const size_t max_open_;
  absl::Mutex mu_;
  std::list<MailboxPtr> mailboxes_ ABSL_GUARDED_BY(mu_);  // used last: first
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_OPEN_MAILBOXES_H_
