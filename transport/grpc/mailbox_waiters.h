// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_MAILBOX_WAITERS_H_
#define GRPC_SHM_TRANSPORT_GRPC_MAILBOX_WAITERS_H_

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "transport/grpc/open_mailboxes.h"
#include "transport/mailbox.h"

namespace grpc_shm {

// Blocking sends and receives without a thread for each. Those that wait for
// the same (to send to a mailbox, or to receive from it) stand in a line; one
// thread blocks for the first. Nothing is lost thereby: when the first can't go
// on, nor can the rest.
//
// Ownership: keeps a waiter until its end. Threads: any.
class MailboxWaiters {
  struct Line;

 public:
  enum class Side { kSend, kReceive };

  class Waiter {
   public:
    virtual ~Waiter() = default;

   protected:
    // Sends or receives, however long that takes. CANCELLED when the mailbox is
    // closed meanwhile.
    virtual absl::Status Wait(Mailbox& mailbox) = 0;
    // Its end, once, without a lock: what Wait returned; CANCELLED; or why it
    // could not wait. It may have been cancelled and have had success all the
    // same.
    virtual void Done(const absl::Status& status) = 0;

   private:
    friend class MailboxWaiters;
    Line* line_ = nullptr;  // where it waits
    bool cancelled_ = false;
  };

  MailboxWaiters(OpenMailboxes* mailboxes, size_t max_waiting,
                 size_t max_threads);
  MailboxWaiters(const MailboxWaiters&) = delete;
  MailboxWaiters& operator=(const MailboxWaiters&) = delete;
  // As Shutdown; waits for all to end.
  ~MailboxWaiters();

  // May end it at once: RESOURCE_EXHAUSTED beyond the limits; UNAVAILABLE after
  // Shutdown. Later: why there is no mailbox.
  void Start(Side side, const std::string& name,
             const std::shared_ptr<Waiter>& waiter);

  // Ends it, before or after Start; nothing if it has ended.
  void Cancel(const std::shared_ptr<Waiter>& waiter);

  // Ends all, with ShuttingDown.
  void Shutdown();

  // UNAVAILABLE.
  static absl::Status ShuttingDown();

 private:
  using WaiterPtr = std::shared_ptr<Waiter>;
  using Key = std::pair<Side, std::string>;

  // Or why it can't wait.
  absl::Status Enter(const Key& key, const WaiterPtr& waiter)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status NeedThread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Run();
  // Until nobody stands in the line, which then is gone.
  void Serve(Line* line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status WaitForFirst(Line* line, const WaiterPtr& first)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  OpenMailboxes* const mailboxes_;
  const size_t max_waiting_;
  const size_t max_threads_;

  absl::Mutex mu_;
  bool shut_down_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  size_t waiting_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<Key, std::unique_ptr<Line>> lines_ ABSL_GUARDED_BY(mu_);
  std::deque<Line*> unserved_ ABSL_GUARDED_BY(mu_);  // have no thread yet
  size_t idle_threads_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_MAILBOX_WAITERS_H_
