// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_MAILBOX_LISTENER_H_
#define GRPC_SHM_TRANSPORT_GRPC_MAILBOX_LISTENER_H_

#include <grpcpp/server.h>

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "transport/base/mutex.h"
#include "transport/base/unique_fd.h"
#include "transport/call/call.h"
#include "transport/grpc/address_listener.h"
#include "transport/grpc/offer_message.h"
#include "transport/link/link_options.h"
#include "transport/link/reactor.h"
#include "transport/mailbox.h"
#include "transport/options.h"
#include "transport/stats.h"

namespace grpc_shm {

// Serves a mailbox: takes calls that are offered in it, one for each free place
// (ListenerOptions::max_mailbox_calls), claims them on their callers' boards
// and serves them over links to the callers. See docs/mailbox-calls.md.
//
// Threads: a thread takes an offer and runs its handler, if that runs inline,
// to its end: nothing is handed over. With more than one place another thread
// takes the next offer meanwhile. Ownership: shared by its owner and by its
// links.
class MailboxListener final
    : public AddressListener,
      public std::enable_shared_from_this<MailboxListener> {
 public:
  // `create`: makes the mailbox if there is none; null: there must be one.
  // Fails as Mailbox::Open and Mailbox::Create do.
  static absl::StatusOr<std::shared_ptr<MailboxListener>> Start(
      const std::string& address, const MailboxOptions* create,
      grpc::Server* server, const ListenerOptions& options);

  ~MailboxListener() override;

  void Drain() override;
  void AwaitIdle(absl::Time deadline) override;
  void Close() override;
  ListenerStats stats() const override;

 private:
  class Caller;
  class Place;
  class PlacedServerCall;

  // The hand-shake with a caller that has not answered yet. Its offers are
  // kept, so that others get their turn, and given back when there is a link.
  struct Connection {
    UniqueFd socket;
    Reactor::SourceId source;
    Reactor::TimerId timer;
    std::vector<Mailbox::Message> offers;
  };

  MailboxListener(const std::string& address, grpc::Server* server,
                  const ListenerOptions& options,
                  std::unique_ptr<Mailbox> mailbox);

  void StartTaker() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunTaker();
  void EndTaker() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void StopTaking();
  void BeginHandler();
  void EndHandler();
  void ReturnPlace();

  void Take(Mailbox::Message message, std::unique_ptr<Place> place);
  std::shared_ptr<Call> Claim(Mailbox::Message* message,
                              const wire::Offer& offer,
                              const std::shared_ptr<Caller>& caller);
  void Serve(ReceivedOffer offer, const std::shared_ptr<Caller>& caller,
             const std::shared_ptr<Call>& call, std::unique_ptr<Place> place);

  std::shared_ptr<Caller> FindCaller(const std::string& reply,
                                     Mailbox::Message* message);
  absl::Status ConnectTo(const std::string& reply, Mailbox::Message* message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::optional<Connection> TakeConnection(const std::string& reply)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnAnswer(const std::string& reply);
  void OnHandshakeTimeout(const std::string& reply);
  absl::Status FinishConnecting(const std::string& reply, UniqueFd socket)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  LinkOptions CallerLinkOptions() const;
  bool IsLeaving();
  void Forget(const Caller* caller);

  CallDestination destination_;
  const std::unique_ptr<Mailbox> mailbox_;

  mutable Mutex mu_;
  CondVar changed_;
  bool leaving_ ABSL_GUARDED_BY(mu_) = false;
  // The thread that waits for an offer, or deals with one.
  std::thread::id taker_ ABSL_GUARDED_BY(mu_);
  size_t free_places_ ABSL_GUARDED_BY(mu_);
  size_t idle_takers_ ABSL_GUARDED_BY(mu_) = 0;  // threads that don't serve
  std::list<std::thread> takers_ ABSL_GUARDED_BY(mu_);
  std::list<std::thread> ended_ ABSL_GUARDED_BY(mu_);  // or about to
  // By their reply addresses.
  absl::flat_hash_map<std::string, std::shared_ptr<Caller>> callers_
      ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, Connection> connections_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_MAILBOX_LISTENER_H_
