// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MESSENGER_H_
#define GRPC_SHM_TRANSPORT_MESSENGER_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "transport/options.h"

namespace grpc_shm {

class MessengerCore;
class MessengerServer;

struct MessengerOptions {
  // How many messages of one sender, that nobody has received, the inbox holds;
  // at least 1. The sender of one more waits. Each sender has that much, so
  // that a full inbox delays the one who filled it and nobody else. Costs up to
  // so many times the largest message, for each sender.
  size_t inbox_messages = 64;

  // The largest message that is received; at most 1 GiB. Sending a larger one
  // fails with RESOURCE_EXHAUSTED.
  size_t max_message_bytes = size_t{4} << 20;

  // Whether Send waits for somebody to open the name that it sends to. Without,
  // it fails at once with UNAVAILABLE, as a gRPC call does.
  bool wait_for_ready = false;

  // How the threads that serve the links wait for what comes.
  WaitPolicy wait_policy = WaitPolicy::kAdaptive;
};

// Direct messages between named processes of one user: each names the other.
//
//   auto p = grpc_shm::Messenger::Open("p");    // in one process
//   (*p)->Send("q", "hello");
//
//   auto q = grpc_shm::Messenger::Open("q");    // in another
//   absl::StatusOr<Messenger::Message> message = (*q)->Receive("p");
//
// Links are made when the first message is sent: exactly one for each pair of
// names, for messages both ways. A link that is lost, since the other process
// has ended, is made again by the next Send.
//
// A message comes once or not at all, and those from one thread to one name
// come in the order in which they were sent, as long as the link lives. A
// message that has arrived in the inbox is lost when the receiver dies before
// it receives it; what must survive that belongs into a mailbox
// (transport/mailbox.h).
//
// Who sends: a Messenger named p is served at the address shm:p, of which there
// is at most one in all processes of the user. Who claims to be q is asked for
// no proof but checked against what the kernel knows: it must be the process
// that listens at shm:q (both by SO_PEERCRED). So another process can't send in
// q's name, nor receive what is sent to it, while q is open; what it can do is
// to open the name q when q is not open. Another user's process can do nothing.
// Two messengers in one process are not protected from each other.
//
// Threads: any, for everything but the destructor. Processes: a fork's child
// must not use its parent's messenger. Fails with, besides what is said at each
// function:
//   INVALID_ARGUMENT   the name is none (1 to 64 characters of A-Z a-z 0-9 and
//                      . _ - of which the first is no dot);
//   CANCELLED          the messenger is closed.
class Messenger {
 public:
  struct Message {
    std::string sender;
    std::string data;
  };

  // Takes the name `name`. Fails with
  //   ALREADY_EXISTS      another messenger, or a server at shm:NAME, has it;
  //   INVALID_ARGUMENT    as above, or an option is out of range;
  //   PERMISSION_DENIED   the rendezvous directory is not this user's alone;
  //   RESOURCE_EXHAUSTED  no descriptors, or no space where the directory is.
  static absl::StatusOr<std::unique_ptr<Messenger>> Open(
      absl::string_view name,
      const MessengerOptions& options = MessengerOptions());

  Messenger(const Messenger&) = delete;
  Messenger& operator=(const Messenger&) = delete;
  // As Close with a deadline that has passed. No other thread may be using it.
  ~Messenger();

  const std::string& name() const;

  // Sends to the messenger named `to`, which may be this one. Waits for a place
  // in its inbox; OK once it is there. Fails with
  //   DEADLINE_EXCEEDED   not in time. If there was no place, the message will
  //                       not come; the status says if it may have.
  //   UNAVAILABLE         nobody has that name (and MessengerOptions do not say
  //                       to wait); or the other process died or closed its
  //                       messenger before it confirmed: it may have come.
  //   RESOURCE_EXHAUSTED  the message is too large for the receiver.
  //   FAILED_PRECONDITION shm:`to` is no messenger, or of another version.
  //   PERMISSION_DENIED   this process is not the one which listens at its own
  //                       name, as after a fork; or `to` is another user's.
  absl::Status Send(absl::string_view to, absl::string_view message,
                    absl::Time deadline = absl::InfiniteFuture());

  // The same without waiting for anything: UNAVAILABLE if there is no place, or
  // no link yet, which is then being made. OK once a place in the inbox is the
  // message's own and it is on its way; it is lost if this process dies, or the
  // messenger is destroyed without Close, before it is there.
  absl::Status TrySend(absl::string_view to, absl::string_view message);

  // Takes the oldest message that `from` has sent out of the inbox, when there
  // is one. It is no failure that `from` is not there: it may come.
  //   DEADLINE_EXCEEDED  not in time.
  absl::StatusOr<Message> Receive(absl::string_view from,
                                  absl::Time deadline = absl::InfiniteFuture());

  // UNAVAILABLE if there is none now.
  absl::StatusOr<Message> TryReceive(absl::string_view from);

  // The same for messages from anybody, in the order in which they arrived.
  absl::StatusOr<Message> ReceiveAny(
      absl::Time deadline = absl::InfiniteFuture());
  absl::StatusOr<Message> TryReceiveAny();

  // Gives up the name, ends the links and whatever waits here (CANCELLED).
  // Returns once all that was sent has arrived, but does not wait for that, nor
  // therefore for receivers that are stopped, beyond the deadline. What is in
  // the inbox is lost.
  void Close(absl::Time deadline = absl::InfiniteFuture());

  // Links that there are now, to look at.
  size_t links() const;

 private:
  Messenger(std::shared_ptr<MessengerCore> core,
            std::unique_ptr<MessengerServer> server);

  const std::shared_ptr<MessengerCore> core_;
  const std::unique_ptr<MessengerServer> server_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MESSENGER_H_
