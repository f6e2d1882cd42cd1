// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_MAILBOX_CALLS_H_
#define GRPC_SHM_TRANSPORT_GRPC_MAILBOX_CALLS_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <functional>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "proto/mailbox.pb.h"
#include "transport/grpc/mailbox_waiters.h"
#include "transport/grpc/open_mailboxes.h"

namespace grpc_shm {

// The rpcs of grpc_shm.v1.Mailboxes (proto/mailbox.proto) that may wait. Each
// tries first, on the thread that it came on, and waits among MailboxWaiters
// only if it must. The reactors own themselves.

// All subscriptions that there are. Threads: any.
class Subscriptions {
 public:
  using End = std::function<void(const absl::Status& why)>;

  explicit Subscriptions(size_t max) : max_(max) {}

  // RESOURCE_EXHAUSTED, or UNAVAILABLE after Shutdown. `end` keeps the
  // subscription.
  absl::Status Add(void* subscription, End end);
  void Remove(void* subscription);
  // Ends all.
  void Shutdown();

 private:
  const size_t max_;
  absl::Mutex mu_;
  bool shut_down_ ABSL_GUARDED_BY(mu_) = false;
  std::map<void*, End> ends_ ABSL_GUARDED_BY(mu_);
};

struct MailboxCallEnvironment {
  OpenMailboxes* mailboxes;
  MailboxWaiters* waiters;
  Subscriptions* subscriptions;
  size_t max_unacknowledged;  // of one subscription
};

grpc::ServerUnaryReactor* SendToMailbox(
    const MailboxCallEnvironment& environment, const v1::SendRequest* request,
    v1::SendResponse* response);

grpc::ServerUnaryReactor* ReceiveFromMailbox(
    const MailboxCallEnvironment& environment,
    grpc::CallbackServerContext* context, const v1::ReceiveRequest* request,
    v1::ReceiveResponse* response);

// `serves` says whether that name may be subscribed to.
grpc::ServerBidiReactor<v1::SubscribeRequest, v1::SubscribeResponse>*
SubscribeToMailbox(const MailboxCallEnvironment& environment,
                   std::function<absl::Status(const std::string&)> serves);

inline grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message()));
}

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_MAILBOX_CALLS_H_
