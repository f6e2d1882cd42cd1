// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_MAILBOX_CHANNEL_H_
#define GRPC_SHM_TRANSPORT_GRPC_MAILBOX_CHANNEL_H_

#include <grpc/grpc.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "transport/base/mutex.h"
#include "transport/base/unique_fd.h"
#include "transport/call/offer_board.h"
#include "transport/call/session.h"
#include "transport/grpc/client_channel.h"
#include "transport/grpc/connectivity.h"
#include "transport/grpc/outbound_call.h"
#include "transport/link/reactor.h"
#include "transport/link/reply_address.h"
#include "transport/mailbox.h"
#include "transport/mailbox/mailbox_name_watch.h"
#include "transport/mailbox/touch_watch.h"

namespace grpc_shm {

// The calls of one channel to a mailbox. Each is offered there, whoever takes
// it claims it on this channel's board and connects to its reply address, and
// the call goes on over that link: one link per server, used again for all
// calls that it takes. See docs/mailbox-calls.md.
//
// A call is, one after the other: waiting (for the mailbox to exist, or for a
// place in it), offered (in the mailbox, or with a server that has not said
// so), accepted (on a link; the session knows it, not we).
//
// Connectivity: READY while the mailbox exists, whether servers are there or
// not; TRANSIENT_FAILURE when it does not. Then the channel tries again as soon
// as the mailbox's name appears, with a slow timer besides, and at once for
// each new call.
//
// Threads: any. Lifetime: as long as its owner or a call needs it.
class MailboxChannel final
    : public ClientChannel,
      public SessionHandler,
      public std::enable_shared_from_this<MailboxChannel> {
 public:
  // `target` is "mailbox:NAME", well-formed or not.
  static std::shared_ptr<MailboxChannel> Create(const std::string& target,
                                                const Options& options);
  ~MailboxChannel() override;

  void ForgetCall(const OutboundCall* call) override;
  std::shared_ptr<Session> session(
      std::vector<std::shared_ptr<Session>>* others) override;
  void Release() override;
  grpc_connectivity_state GetState(bool try_to_connect) override;

  std::shared_ptr<CallHandler> OnCall(const std::shared_ptr<Call>&,
                                      wire::CallStart) override {
    return nullptr;  // servers only
  }
  void OnAccepted(const std::shared_ptr<Call>& call) override;
  void OnGoAway(Session* session) override;
  void OnClosed(Session* session, const absl::Status& status) override;

 private:
  struct Waiting {
    std::shared_ptr<OutboundCall> call;
    // Taken from the call already, to go with the offer.
    absl::optional<OutgoingMessage> request;
  };
  struct Offered {
    std::shared_ptr<OutboundCall> call;
    uint32_t slot;
  };
  struct Server {
    std::shared_ptr<Session> session;
    uint16_t link;
  };
  struct Handshake {
    UniqueFd socket;
    Reactor::SourceId source;
    Reactor::TimerId timer;
  };

  // An offer that is about to be sent.
  struct Draft;

  // What is to be done once the lock is released.
  struct Effects {
    std::vector<std::shared_ptr<OutboundCall>> failed;
    absl::Status failure;
    Connectivity::Tellers tellers;
    std::vector<std::shared_ptr<Session>> to_close;   // when they are idle
    std::vector<std::shared_ptr<Mailbox>> mailboxes;  // to close
  };

  MailboxChannel(const std::string& target, const Options& options);

  void DoStartCall(const std::shared_ptr<OutboundCall>& call) override;
  absl::Status Open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status ListenForServers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Connect(Effects* effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool StartNameWatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RetryLater() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Retry();
  void OnTouched();
  void OnMailboxFailed(const std::shared_ptr<Mailbox>& mailbox,
                       const absl::Status& why);
  void StopIfUnused(Effects* effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Perform(Effects effects);

  void Offer(const std::shared_ptr<Mailbox>& mailbox,
             const std::shared_ptr<OutboundCall>& call);
  void OfferElsewhere(const std::shared_ptr<Mailbox>& mailbox, Draft draft);
  absl::Status MakeDraft(const Mailbox& mailbox, Draft* draft);
  bool BeginOffer(Draft* draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool EndOffer(const Draft& draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsOffered(const Draft& draft);
  void FailOffer(const Draft& draft, const absl::Status& status);
  absl::Status Full() const;
  void WaitForPlace(Draft draft);
  void SendWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunSendWaiting();

  void OnConnectable();
  void OnHello(uint64_t id);
  absl::optional<Handshake> TakeHandshake(uint64_t id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void StopListening() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint16_t NextLink() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LinkGone(uint16_t link, Effects* effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Mutex mu_;
  bool released_ ABSL_GUARDED_BY(mu_) = false;

  // Null: there is none, as far as is known.
  std::shared_ptr<Mailbox> mailbox_ ABSL_GUARDED_BY(mu_);
  UniqueFd mailbox_file_ ABSL_GUARDED_BY(mu_);
  TouchWatch mailbox_watch_ ABSL_GUARDED_BY(mu_);
  bool is_rendezvous_ ABSL_GUARDED_BY(mu_) = false;
  // While there is none.
  MailboxNameWatch name_watch_ ABSL_GUARDED_BY(mu_);
  Reactor::TimerId retry_timer_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Duration backoff_ ABSL_GUARDED_BY(mu_);

  std::list<Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  bool sending_ ABSL_GUARDED_BY(mu_) = false;  // a thread waits for a place

  // Made when a mailbox is opened.
  std::unique_ptr<ReplyAddress> reply_ ABSL_GUARDED_BY(mu_);
  Reactor::SourceId reply_source_ ABSL_GUARDED_BY(mu_) = 0;
  std::unique_ptr<OfferBoard> board_ ABSL_GUARDED_BY(mu_);  // made once
  std::vector<uint32_t> free_slots_ ABSL_GUARDED_BY(mu_);
  uint64_t last_number_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<uint64_t, Offered> offered_ ABSL_GUARDED_BY(mu_);

  uint64_t next_handshake_ ABSL_GUARDED_BY(mu_) = 1;
  absl::flat_hash_map<uint64_t, Handshake> handshakes_ ABSL_GUARDED_BY(mu_);
  uint16_t last_link_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<Session*, Server> servers_ ABSL_GUARDED_BY(mu_);
  // Of the server that accepted last.
  std::shared_ptr<Session> last_session_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_MAILBOX_CHANNEL_H_
