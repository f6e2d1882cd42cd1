// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/mailbox_listener.h"

#include <pthread.h>
#include <sys/epoll.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "transport/base/monotonic_clock.h"
#include "transport/call/offer_board.h"
#include "transport/grpc/inline_call.h"
#include "transport/grpc/peer_registry.h"
#include "transport/grpc/server_call.h"
#include "transport/link/handshake.h"
#include "transport/link/reply_address.h"

namespace grpc_shm {
namespace {

// How often a mailbox that others make and destroy at the same time is tried.
constexpr int kAttempts = 10;

// Threads that wait for a place, or to be the one that waits for an offer.
constexpr size_t kMaxIdleTakers = 2;

const std::thread::id kNobody;

// When to look again for the socket of a caller whose link has ended, and when
// no more.
constexpr absl::Duration kFirstLook = absl::Milliseconds(5);
constexpr absl::Duration kLastLook = absl::Milliseconds(500);

// How long offers are left to others, when this process lacks descriptors or a
// caller does not answer.
constexpr absl::Duration kPause = absl::Milliseconds(20);

absl::StatusOr<std::unique_ptr<Mailbox>> OpenMailbox(
    const std::string& address, const MailboxOptions* create,
    WaitPolicy wait_policy) {
  OpenMailboxOptions open;
  open.wait_policy = wait_policy;
  absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
      Mailbox::Open(address, open);
  if (create == nullptr) return mailbox;
  MailboxOptions options = *create;
  options.wait_policy = wait_policy;
  for (int i = 0; i < kAttempts && absl::IsNotFound(mailbox.status()); ++i) {
    mailbox = Mailbox::Create(address, options);
    if (absl::IsAlreadyExists(mailbox.status()))
      mailbox = Mailbox::Open(address, open);
  }
  return mailbox;
}

// Whether it may be otherwise in a while.
bool IsPassing(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
}

std::vector<Mailbox::Message> One(Mailbox::Message message) {
  std::vector<Mailbox::Message> one;
  one.push_back(std::move(message));
  return one;
}

// For others to have them, or this process once more, after a while.
void GiveBackLater(std::vector<Mailbox::Message> offers) {
  const auto shared =
      std::make_shared<std::vector<Mailbox::Message>>(std::move(offers));
  Reactor::Get().After(kPause, [shared] { shared->clear(); });
}

// A caller that was killed leaves its socket behind, for nobody. The kernel may
// close that some time after the link.
void RemoveSocketOfDeadCaller(const std::string& reply,
                              absl::Duration look_again) {
  if (ReplyAddress::RemoveIfDead(reply) || look_again > kLastLook) return;
  Reactor::Get().After(look_again, [reply, look_again] {
    RemoveSocketOfDeadCaller(reply, 4 * look_again);
  });
}

}  // namespace

// One who offers calls, once there is a link.
class MailboxListener::Caller : public SessionHandler {
 public:
  Caller(std::shared_ptr<MailboxListener> listener, std::string reply,
         std::unique_ptr<OfferBoard> board, uint16_t link,
         const PeerCredentials& peer)
      : listener_(std::move(listener)),
        reply_(std::move(reply)),
        board_(std::move(board)),
        link_(link),
        identity_(std::make_shared<const std::string>(
            PeerRegistry::Get().Add(peer))) {}
  ~Caller() override { PeerRegistry::Get().Remove(*identity_); }

  void set_session(std::shared_ptr<Session> session) {
    session_ = std::move(session);
  }
  const std::shared_ptr<Session>& session() const { return session_; }
  const std::string& reply() const { return reply_; }
  const std::shared_ptr<const std::string>& identity() const {
    return identity_;
  }

  OfferBoard::Claim TryClaim(const wire::Offer& offer) {
    return board_->TryClaim(offer.slot(), offer.number(), link_);
  }

  std::shared_ptr<CallHandler> OnCall(const std::shared_ptr<Call>&,
                                      wire::CallStart) override {
    return nullptr;  // not where calls are offered
  }
  void OnGoAway(Session*) override {}  // clients only
  void OnClosed(Session*, const absl::Status&) override {
    listener_->Forget(this);
    if (!listener_->IsLeaving()) RemoveSocketOfDeadCaller(reply_, kFirstLook);
  }

 private:
  const std::shared_ptr<MailboxListener> listener_;
  const std::string reply_;
  const std::unique_ptr<OfferBoard> board_;
  const uint16_t link_;
  const std::shared_ptr<const std::string> identity_;
  // Set before the caller is in callers_, under its lock.
  std::shared_ptr<Session> session_;
};

// The right to serve one call; given back when it goes.
class MailboxListener::Place {
 public:
  explicit Place(std::shared_ptr<MailboxListener> listener)
      : listener_(std::move(listener)) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { listener_->ReturnPlace(); }

 private:
  const std::shared_ptr<MailboxListener> listener_;
};

// Has its place until gRPC's server is done with it.
class MailboxListener::PlacedServerCall final : public ServerCall {
 public:
  PlacedServerCall(std::unique_ptr<Place> place, std::shared_ptr<Call> call,
                   const wire::CallStart& start, const std::string& identity,
                   grpc::GenericStub* stub)
      : ServerCall(std::move(call), start, identity, stub),
        place_(std::move(place)) {}

 private:
  const std::unique_ptr<Place> place_;
};

absl::StatusOr<std::shared_ptr<MailboxListener>> MailboxListener::Start(
    const std::string& address, const MailboxOptions* create,
    grpc::Server* server, const ListenerOptions& options) {
  absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
      OpenMailbox(address, create, options.wait_policy);
  if (!mailbox.ok()) return mailbox.status();
  std::shared_ptr<MailboxListener> listener(
      new MailboxListener(address, server, options, *std::move(mailbox)));
  MutexLock lock(&listener->mu_);
  listener->StartTaker();
  return listener;
}

MailboxListener::MailboxListener(const std::string& address,
                                 grpc::Server* server,
                                 const ListenerOptions& options,
                                 std::unique_ptr<Mailbox> mailbox)
    : destination_(address, server, options),
      mailbox_(std::move(mailbox)),
      free_places_(std::max<size_t>(1, options.max_mailbox_calls)) {}

MailboxListener::~MailboxListener() = default;

// ---- Threads

void MailboxListener::StartTaker() {
  for (std::thread& thread : ended_) thread.join();
  ended_.clear();
  ++idle_takers_;
  takers_.emplace_back([this] {
    pthread_setname_np(pthread_self(), "grpc-shm-taker");
    RunTaker();
  });
}

// One thread at a time waits for an offer, while there is a place for it.
void MailboxListener::RunTaker() {
  for (;;) {
    std::unique_ptr<Place> place;
    {
      MutexLock lock(&mu_);
      while (!leaving_ && idle_takers_ <= kMaxIdleTakers &&
             (taker_ != kNobody || free_places_ == 0))
        changed_.Wait(&mu_);
      if (leaving_ || idle_takers_ > kMaxIdleTakers) {
        EndTaker();
        return;
      }
      taker_ = std::this_thread::get_id();
      --free_places_;
      place = std::make_unique<Place>(shared_from_this());
    }
    absl::StatusOr<Mailbox::Message> message = mailbox_->Receive();
    if (message.ok()) Take(*std::move(message), std::move(place));
    StopTaking();
    if (message.ok()) continue;
    // Closed by Drain, or destroyed: there will be nothing to take any more.
    MutexLock lock(&mu_);
    EndTaker();
    return;
  }
}

// This thread is about to end.
void MailboxListener::EndTaker() {
  --idle_takers_;
  for (auto it = takers_.begin(); it != takers_.end(); ++it) {
    if (it->get_id() != std::this_thread::get_id()) continue;
    ended_.splice(ended_.end(), takers_, it);
    break;
  }
}

// This thread has dealt with an offer, or there will be none: another one may
// wait for the next.
void MailboxListener::StopTaking() {
  MutexLock lock(&mu_);
  if (taker_ != std::this_thread::get_id()) return;
  taker_ = kNobody;
  changed_.Signal();
}

// This thread is about to run a handler. If there are places left, another one
// takes offers meanwhile.
void MailboxListener::BeginHandler() {
  MutexLock lock(&mu_);
  --idle_takers_;
  taker_ = kNobody;
  if (free_places_ > 0 && idle_takers_ == 0 && !leaving_) StartTaker();
  changed_.Signal();
}

void MailboxListener::EndHandler() {
  MutexLock lock(&mu_);
  ++idle_takers_;
}

void MailboxListener::ReturnPlace() {
  MutexLock lock(&mu_);
  ++free_places_;
  changed_.Signal();
}

// ---- Offers

void MailboxListener::Take(Mailbox::Message message,
                           std::unique_ptr<Place> place) {
  absl::StatusOr<ReceivedOffer> offer = ReadOffer(message.view());
  if (absl::IsInvalidArgument(offer.status())) {
    message.Acknowledge();  // a raw message that somebody sent here
    return;
  }
  if (!offer.ok()) {  // for a server that can read it
    GiveBackLater(One(std::move(message)));
    return;
  }
  if (offer->offer.deadline_ns() != 0) {
    const int64_t left = offer->offer.deadline_ns() - MonotonicNanos();
    if (left <= 0) {
      message.Acknowledge();  // the caller gives it up by itself
      return;
    }
    offer->start.set_timeout_ns(left);
  }
  const std::shared_ptr<Caller> caller =
      FindCaller(offer->offer.reply_address(), &message);
  if (caller == nullptr) return;
  const std::shared_ptr<Call> call = Claim(&message, offer->offer, caller);
  if (call != nullptr) Serve(*std::move(offer), caller, call, std::move(place));
}

// The call, if it is this server's from now on; else null. The message goes in
// any case.
std::shared_ptr<Call> MailboxListener::Claim(
    Mailbox::Message* message, const wire::Offer& offer,
    const std::shared_ptr<Caller>& caller) {
  // First, since the caller may have something to say about a call as soon as
  // it is claimed.
  absl::StatusOr<std::shared_ptr<Call>> call =
      caller->session()->PrepareCall(offer.number());
  if (absl::IsUnavailable(call.status())) {
    Forget(caller.get());
    message->GiveBack();
    return nullptr;
  }
  if (!call.ok()) {
    message->Acknowledge();  // delivered again, and served already
    return nullptr;
  }
  switch (caller->TryClaim(offer)) {
    case OfferBoard::Claim::kClaimed:
      message->Acknowledge();
      return *std::move(call);
    case OfferBoard::Claim::kLinkClosed:
      (*call)->Decline();
      Forget(caller.get());
      message->GiveBack();
      return nullptr;
    default:  // given up, or another server's
      (*call)->Decline();
      message->Acknowledge();
      return nullptr;
  }
}

void MailboxListener::Serve(ReceivedOffer offer,
                            const std::shared_ptr<Caller>& caller,
                            const std::shared_ptr<Call>& call,
                            std::unique_ptr<Place> place) {
  const int64_t limit = destination_.max_receive_message_bytes();
  if (offer.request.has_value() && limit >= 0 &&
      offer.request->size() > static_cast<uint64_t>(limit)) {
    call->Accept(absl::nullopt);
    // The words are gRPC's own.
    call->SendTrailers(TrailersOf(absl::ResourceExhaustedError(
        absl::StrCat("Received message larger than max (",
                     offer.request->size(), " vs. ", limit, ")"))));
    call->Flush();
    return;
  }
  const bool is_whole = offer.request.has_value();
  call->Accept(std::move(offer.request));
  // Else the client hears of it with the answer.
  if (!is_whole) call->Flush();
  const std::shared_ptr<InlineHost>& host = destination_.inline_host();
  InlineMethod* const method = host->services().Find(offer.start.method());
  if (method == nullptr) {
    destination_.CountUniversalCall();
    auto server_call = std::make_shared<PlacedServerCall>(
        std::move(place), call, offer.start, *caller->identity(),
        destination_.stub());
    if (call->Attach(server_call)) server_call->OnReadable();
    return;
  }
  auto inline_call = std::make_shared<InlineCall>(
      call, std::move(offer.start), caller->identity(), method, host);
  inline_call->BeginHere();
  BeginHandler();
  if (call->Attach(inline_call)) inline_call->RunHere();
  EndHandler();
}

// ---- Callers

// Null if there is no link, so far; then the message is dealt with.
std::shared_ptr<MailboxListener::Caller> MailboxListener::FindCaller(
    const std::string& reply, Mailbox::Message* message) {
  absl::Status status;
  {
    MutexLock lock(&mu_);
    auto it = callers_.find(reply);
    if (it != callers_.end()) return it->second;
    auto connection = connections_.find(reply);
    if (connection != connections_.end()) {
      connection->second.offers.push_back(std::move(*message));
      return nullptr;
    }
    status = ConnectTo(reply, message);
  }
  if (status.ok()) return nullptr;
  if (IsPassing(status) && !ReplyAddress::RemoveIfDead(reply)) {
    GiveBackLater(One(std::move(*message)));
  } else {
    message->Acknowledge();  // there is nobody to serve
  }
  return nullptr;
}

absl::Status MailboxListener::ConnectTo(const std::string& reply,
                                        Mailbox::Message* message) {
  if (!ReplyAddress::IsPath(reply))
    return absl::InvalidArgumentError("not a reply address");
  absl::StatusOr<UniqueFd> socket =
      ConnectToPath(reply, destination_.address(), CallerLinkOptions());
  if (!socket.ok()) return socket.status();
  const std::weak_ptr<MailboxListener> weak = weak_from_this();
  absl::StatusOr<Reactor::SourceId> source =
      Reactor::Get().Watch(socket->get(), EPOLLIN | EPOLLRDHUP | EPOLLONESHOT,
                           [weak, reply](uint32_t) {
                             if (const auto self = weak.lock())
                               self->OnAnswer(reply);
                           });
  if (!source.ok()) return source.status();
  const Reactor::TimerId timer = Reactor::Get().After(
      destination_.options().handshake_timeout, [weak, reply] {
        if (const auto self = weak.lock()) self->OnHandshakeTimeout(reply);
      });
  Connection& connection = connections_[reply];
  connection.socket = *std::move(socket);
  connection.source = *source;
  connection.timer = timer;
  connection.offers.push_back(std::move(*message));
  return absl::OkStatus();
}

absl::optional<MailboxListener::Connection> MailboxListener::TakeConnection(
    const std::string& reply) {
  auto it = connections_.find(reply);
  if (it == connections_.end()) return absl::nullopt;
  Connection connection = std::move(it->second);
  connections_.erase(it);
  Reactor::Get().CancelTimer(connection.timer);
  Reactor::Get().Unwatch(connection.source, connection.socket.get());
  return connection;
}

void MailboxListener::OnAnswer(const std::string& reply) {
  absl::optional<Connection> connection;
  absl::Status status;
  {
    MutexLock lock(&mu_);
    connection = TakeConnection(reply);
    if (!connection.has_value()) return;
    status = FinishConnecting(reply, std::move(connection->socket));
  }
  if (status.ok()) return;  // its offers go back with the connection
  if (IsPassing(status) && !ReplyAddress::RemoveIfDead(reply)) {
    GiveBackLater(std::move(connection->offers));
  } else {
    for (Mailbox::Message& offer : connection->offers) offer.Acknowledge();
  }
}

// The caller may be stopped, or busy. It is not dead.
void MailboxListener::OnHandshakeTimeout(const std::string& reply) {
  absl::optional<Connection> connection;  // its offers go back with it
  MutexLock lock(&mu_);
  connection = TakeConnection(reply);
}

LinkOptions MailboxListener::CallerLinkOptions() const {
  LinkOptions options = destination_.link_options();
  options.peers = PeerPolicy();  // mailboxes are for one user
  options.ring_bytes = 0;        // as the caller has it
  options.window_bytes = 0;
  return options;
}

absl::Status MailboxListener::FinishConnecting(const std::string& reply,
                                               UniqueFd socket) {
  ReceivedBoard received;
  absl::StatusOr<std::unique_ptr<Link>> link =
      ReceiveWelcome(std::move(socket), destination_.address(),
                     CallerLinkOptions(), &received);
  if (!link.ok()) return link.status();
  absl::StatusOr<std::unique_ptr<OfferBoard>> board =
      OfferBoard::Open(std::move(received.board));
  if (!board.ok()) return board.status();
  auto caller =
      std::make_shared<Caller>(shared_from_this(), reply, *std::move(board),
                               received.link, (*link)->peer());
  SessionOptions options = destination_.NewSessionOptions();
  options.offers = true;
  absl::StatusOr<std::shared_ptr<Session>> session =
      Session::Start(*std::move(link), std::move(options), caller);
  if (!session.ok()) return session.status();
  caller->set_session(*std::move(session));
  callers_[reply] = std::move(caller);
  return absl::OkStatus();
}

bool MailboxListener::IsLeaving() {
  MutexLock lock(&mu_);
  return leaving_;
}

void MailboxListener::Forget(const Caller* caller) {
  std::shared_ptr<Caller> forgotten;  // destroyed without the lock
  MutexLock lock(&mu_);
  auto it = callers_.find(caller->reply());
  if (it == callers_.end() || it->second.get() != caller) return;
  forgotten = std::move(it->second);
  callers_.erase(it);
  changed_.Signal();
}

// ---- The end

void MailboxListener::Drain() {
  {
    MutexLock lock(&mu_);
    if (std::exchange(leaving_, true)) return;
    changed_.Signal();
  }
  mailbox_->Close();
  std::vector<std::shared_ptr<Caller>> callers;
  std::vector<Connection> connections;  // their offers go back
  {
    // Who has just taken an offer decides about it first.
    MutexLock lock(&mu_);
    while (taker_ != kNobody) changed_.Wait(&mu_);
    for (const auto& [reply, caller] : callers_) callers.push_back(caller);
    while (!connections_.empty()) {
      const std::string reply = connections_.begin()->first;
      connections.push_back(*TakeConnection(reply));
    }
  }
  connections.clear();
  for (const auto& caller : callers)
    caller->session()->GoAway("the server is shutting down");
}

void MailboxListener::AwaitIdle(absl::Time deadline) {
  MutexLock lock(&mu_);
  // A drained session closes by itself after its last call.
  while (!callers_.empty() && changed_.WaitWithDeadline(&mu_, deadline)) {
  }
}

void MailboxListener::Close() {
  std::vector<std::shared_ptr<Caller>> callers;
  std::list<std::thread> threads;
  {
    MutexLock lock(&mu_);
    for (const auto& [reply, caller] : callers_) callers.push_back(caller);
    threads.swap(takers_);
    threads.splice(threads.end(), ended_);
  }
  for (const auto& caller : callers) {
    caller->session()->Close(absl::UnavailableError(
        absl::StrCat(destination_.address(), ": the server has shut down")));
  }
  for (std::thread& thread : threads) thread.join();
  destination_.inline_host()->AwaitNone();
}

ListenerStats MailboxListener::stats() const {
  ListenerStats stats = destination_.stats();
  MutexLock lock(&mu_);
  stats.links = callers_.size();
  return stats;
}

}  // namespace grpc_shm
