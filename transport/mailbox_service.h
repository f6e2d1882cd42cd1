// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_SERVICE_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_SERVICE_H_

#include <grpcpp/impl/service_type.h>

#include <cstddef>
#include <memory>
#include <string>

namespace grpc_shm {

struct MailboxServiceOptions {
  // Only mailboxes whose names begin with this are served, listed and made.
  // Others are PERMISSION_DENIED. Empty: all of this user's.
  std::string name_prefix;

  // Whether clients may create and destroy mailboxes.
  bool allow_create_and_destroy = true;

  // The most shared memory that a mailbox which a client creates may take for
  // messages, in bytes.
  size_t max_mailbox_bytes = size_t{256} << 20;

  // Rpcs that wait at one time, for messages or for room, subscriptions among
  // them. One more fails with RESOURCE_EXHAUSTED. Costs a few hundred bytes
  // each, and the message of one that sends.
  size_t max_waiting = 10000;

  // Threads for those: one serves all that wait for messages of one mailbox,
  // another all that wait for room in it. An rpc that would need one more fails
  // with RESOURCE_EXHAUSTED.
  size_t max_threads = 64;

  // Mailboxes that are kept open between rpcs. One that is destroyed by other
  // processes keeps its memory until it is used here again, or others have
  // taken its place among these.
  size_t max_open_mailboxes = 16;

  // Subscriptions at one time. One more fails with RESOURCE_EXHAUSTED. Each may
  // keep as many messages from others as the next option says.
  size_t max_subscriptions = 1000;

  // Messages that a subscription may have delivered and not acknowledged; at
  // least 1.
  size_t max_unacknowledged = 1000;
};

// The gRPC service grpc_shm.v1.Mailboxes (proto/mailbox.proto) over the
// mailboxes of this process's user (transport/mailbox.h):
//
//   grpc_shm::MailboxService mailboxes;
//   builder.RegisterService(mailboxes.service());
//   ...
//   mailboxes.Shutdown();
//   server->Shutdown();
//
// on any server, grpc::Server or grpc_shm::Server, for any client that reaches
// it: through shared memory, a unix socket or TCP.
//
// SECURITY: whoever can call the server can use the mailboxes of the user that
// the server runs as: send messages, read them and take them away, create and
// destroy mailboxes. The service asks nobody who he is. Listen where only the
// right people can connect ("shm:", or a unix socket in a directory of yours),
// or use credentials that authenticate clients, and restrict it with the
// options.
//
// Ownership: must outlive the server. Threads: any. No thread is held by an rpc
// that waits; see MailboxServiceOptions::max_threads.
class MailboxService {
 public:
  explicit MailboxService(
      MailboxServiceOptions options = MailboxServiceOptions());
  MailboxService(const MailboxService&) = delete;
  MailboxService& operator=(const MailboxService&) = delete;
  // The server must be gone.
  ~MailboxService();

  // To be registered.
  grpc::Service* service();

  // Ends all subscriptions and all rpcs that wait, and those that would from
  // now on, with UNAVAILABLE. To be called before the server's Shutdown, which
  // otherwise waits for them until its deadline. Idempotent.
  void Shutdown();

 private:
  class Implementation;
  const std::unique_ptr<Implementation> implementation_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_SERVICE_H_
