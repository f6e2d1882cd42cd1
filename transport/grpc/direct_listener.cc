// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/direct_listener.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "transport/base/monotonic_clock.h"
#include "transport/grpc/inline_call.h"
#include "transport/grpc/peer_registry.h"
#include "transport/grpc/server_call.h"
#include "transport/link/address.h"
#include "transport/link/handshake.h"
#include "transport/link/link_layout.h"
#include "transport/link/peer_credentials.h"

namespace grpc_shm {
namespace {

// Clients accepted in one go: a crowd of them must let those in that have
// something to say.
constexpr int kAcceptedTogether = 64;

// How long nobody is accepted after a client that came to nothing: some fifty
// times as long as it cost. A greater pause makes honest clients wait longer
// for a link while somebody is a nuisance, a smaller one those with links for
// their answers.
constexpr absl::Duration kPauseAfterSilence = absl::Milliseconds(1);
constexpr absl::Duration kPauseAfterNoCall = absl::Milliseconds(10);
// And how long at most, however many those were.
constexpr absl::Duration kLongestPause = absl::Milliseconds(200);

// Besides the control socket: the segment's, while it is passed on, and both
// doorbells'.
constexpr int kDescriptorsOfLink = 3;

// What a link takes of this process's memory.
size_t BytesOf(const Link& link) {
  return SegmentBytes(static_cast<size_t>(sysconf(_SC_PAGESIZE)),
                      link.ring_bytes());
}

// Whether a client has sent nothing since it has connected.
bool IsSilent(int socket_fd) {
  char byte;
  return recv(socket_fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) < 0 &&
         errno == EAGAIN;
}

UniqueFd OpenSpare() {
  return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

RendezvousOptions ServerRendezvous(const ListenerOptions& options) {
  RendezvousOptions where;
  where.directory = options.directory;
  where.shared = options.peer_policy.admits_others();
  return where;
}

}  // namespace

// One client, once it has a link.
class DirectListener::ServedLink : public SessionHandler {
 public:
  ServedLink(std::shared_ptr<DirectListener> listener, const Link& link)
      : listener_(std::move(listener)),
        user_(link.peer().uid),
        bytes_(BytesOf(link)),
        identity_(std::make_shared<const std::string>(
            PeerRegistry::Get().Add(link.peer()))) {}
  ~ServedLink() override { PeerRegistry::Get().Remove(*identity_); }

  void set_session(std::shared_ptr<Session> session) {
    session_ = std::move(session);
  }
  const std::shared_ptr<Session>& session() const { return session_; }
  uid_t user() const { return user_; }
  size_t bytes() const { return bytes_; }
  bool has_called() const { return has_called_.load(); }

  std::shared_ptr<CallHandler> OnCall(const std::shared_ptr<Call>& call,
                                      wire::CallStart start) override {
    has_called_.store(true, std::memory_order_relaxed);
    CallDestination& destination = listener_->destination_;
    const std::shared_ptr<InlineHost>& host = destination.inline_host();
    InlineMethod* const method = host->services().Find(start.method());
    if (method == nullptr) {
      destination.CountUniversalCall();
      return std::make_shared<ServerCall>(call, start, *identity_,
                                          destination.stub());
    }
    auto inline_call = std::make_shared<InlineCall>(call, std::move(start),
                                                    identity_, method, host);
    inline_call->Begin();
    return inline_call;
  }
  void OnGoAway(Session*) override {}  // clients only
  void OnClosed(Session*, const absl::Status&) override {
    listener_->Forget(this);
  }

 private:
  const std::shared_ptr<DirectListener> listener_;
  const uid_t user_;
  const size_t bytes_;
  const std::shared_ptr<const std::string> identity_;
  std::atomic<bool> has_called_{false};
  std::shared_ptr<Session>
      session_;  // set before the link is in links_, under its lock
};

absl::StatusOr<std::shared_ptr<DirectListener>> DirectListener::Start(
    const std::string& address, grpc::Server* server,
    const ListenerOptions& options) {
  absl::StatusOr<std::string> name = ParseDirectAddress(address);
  if (!name.ok()) return name.status();
  absl::StatusOr<std::unique_ptr<ListeningName>> listening =
      ListeningName::Acquire(*name, options.backlog, ServerRendezvous(options));
  if (!listening.ok()) return listening.status();
  std::shared_ptr<DirectListener> listener(
      new DirectListener(address, *std::move(name), server, options));
  absl::MutexLock lock(&listener->mu_);
  listener->spare_ = OpenSpare();
  absl::StatusOr<Reactor::SourceId> source = Reactor::Get().Watch(
      (*listening)->fd(), EPOLLIN | EPOLLET,
      [weak = std::weak_ptr<DirectListener>(listener)](uint32_t) {
        if (const auto self = weak.lock()) self->OnAcceptable();
      });
  if (!source.ok()) return source.status();
  listener->source_ = *source;
  listener->listening_ = *std::move(listening);
  return listener;
}

DirectListener::DirectListener(const std::string& address, std::string name,
                               grpc::Server* server,
                               const ListenerOptions& options)
    : name_(std::move(name)), destination_(address, server, options) {}

DirectListener::~DirectListener() {
  absl::MutexLock lock(&mu_);
  if (listening_ != nullptr) Reactor::Get().Unwatch(source_, listening_->fd());
}

void DirectListener::OnAcceptable() {
  absl::MutexLock lock(&mu_);
  if (accept_timer_ != 0) return;
  if (MonotonicNanos() < accept_at_) {
    accept_timer_ = Reactor::Get().At(accept_at_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->OnPauseOver();
    });
    return;
  }
  for (int i = 0; listening_ != nullptr && i < kAcceptedTogether; ++i) {
    absl::StatusOr<UniqueFd> socket = Accept(listening_->fd());
    if (socket.ok()) {
      AcceptOne(*std::move(socket));
    } else if (!absl::IsResourceExhausted(socket.status()) ||
               !(DropSilentOne() || RefuseOne())) {
      return;
    }
  }
  // There may be more.
  Reactor::Get().Post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnAcceptable();
  });
}

void DirectListener::OnPauseOver() {
  {
    absl::MutexLock lock(&mu_);
    accept_timer_ = 0;
  }
  OnAcceptable();
}

void DirectListener::Pause(absl::Duration pause) {
  const int64_t now = MonotonicNanos();
  accept_at_ =
      std::min(std::max(accept_at_, now) + absl::ToInt64Nanoseconds(pause),
               now + absl::ToInt64Nanoseconds(kLongestPause));
}

void DirectListener::AcceptOne(UniqueFd socket) {
  // Whoever is not admitted takes no place, not even for its hand-shake.
  absl::Status status = CheckClient(socket, destination_.link_options());
  if (status.ok()) status = CheckLimits(socket.get());
  if (status.ok() &&
      handshakes_.size() >= destination_.options().max_handshakes &&
      !DropSilentOne()) {
    status = absl::ResourceExhaustedError(
        absl::StrCat(destination_.address(), ": the server has its limit of ",
                     destination_.options().max_handshakes,
                     " hand-shakes under way; try again, or raise "
                     "ListenerOptions::max_handshakes"));
  }
  if (!status.ok()) {
    Refuse(socket, status, destination_.link_options());
    return;
  }
  const uint64_t id = next_handshake_++;
  const std::weak_ptr<DirectListener> weak = weak_from_this();
  absl::StatusOr<Reactor::SourceId> source = Reactor::Get().Watch(
      socket.get(), EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, [weak, id](uint32_t) {
        if (const auto self = weak.lock()) self->OnHello(id);
      });
  if (!source.ok()) {
    Refuse(socket, source.status(), destination_.link_options());
    return;
  }
  const Reactor::TimerId timer = Reactor::Get().After(
      destination_.options().handshake_timeout, [weak, id] {
        if (const auto self = weak.lock()) self->OnHandshakeTimeout(id);
      });
  handshakes_.emplace(id, Handshake{std::move(socket), *source, timer});
}

// Drops the oldest of those who have said nothing; false if there is none.
bool DirectListener::DropSilentOne() {
  for (const auto& [id, handshake] : handshakes_) {
    if (IsSilent(handshake.socket.get())) {
      TakeHandshake(id);
      Pause(kPauseAfterSilence);
      return true;
    }
  }
  return false;
}

// Drops as many as a link needs descriptors that are not there.
void DirectListener::MakeRoomForLink() {
  UniqueFd places[kDescriptorsOfLink];
  for (UniqueFd& place : places) {
    do {
      place = OpenSpare();
    } while (!place.valid() && DropSilentOne());
  }
}

// Whether there may be one more link, and of that client.
absl::Status DirectListener::CheckLimits(int socket_fd) {
  if (links_.size() >= destination_.options().max_links) {
    return absl::ResourceExhaustedError(absl::StrCat(
        destination_.address(), ": the server has its limit of ",
        destination_.options().max_links,
        " links; close some, or raise ListenerOptions::max_links"));
  }
  absl::StatusOr<PeerCredentials> peer = CredentialsOf(socket_fd);
  if (!peer.ok()) return peer.status();
  const auto of_user = links_of_user_.find(peer->uid);
  if (of_user != links_of_user_.end() &&
      of_user->second >= destination_.options().max_links_per_user) {
    return absl::ResourceExhaustedError(absl::StrCat(
        destination_.address(), ": the server has its limit of ",
        destination_.options().max_links_per_user, " links of user ", peer->uid,
        "; close some, or raise ListenerOptions::max_links_per_user"));
  }
  return absl::OkStatus();
}

// Answers a client's Hello, within what is left of the limits.
absl::StatusOr<std::unique_ptr<Link>> DirectListener::MakeLink(
    UniqueFd socket) {
  absl::Status status = CheckLimits(socket.get());
  LinkOptions link_options = destination_.link_options();
  const size_t left =
      destination_.options().max_link_bytes -
      std::min(destination_.options().max_link_bytes, link_bytes_);
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t smallest = GrantedRingBytes(link_options, 1);
  if (status.ok() && left < SegmentBytes(page, smallest)) {
    status = absl::ResourceExhaustedError(absl::StrCat(
        destination_.address(), ": the links have their limit of ",
        destination_.options().max_link_bytes,
        " bytes; close some, or raise ListenerOptions::max_link_bytes"));
  }
  if (!status.ok()) {
    Refuse(socket, status, destination_.link_options());
    return status;
  }
  link_options.max_ring_bytes =
      std::min(link_options.max_ring_bytes, (left - page) / 2);
  MakeRoomForLink();
  return AnswerHello(std::move(socket), name_, link_options);
}

// Without descriptors left, a waiting client would learn nothing: the spare one
// lets it be told.
bool DirectListener::RefuseOne() {
  if (!spare_.valid()) return false;
  spare_.reset();
  absl::StatusOr<UniqueFd> socket = Accept(listening_->fd());
  const bool accepted = socket.ok();
  if (accepted) {
    Refuse(*socket,
           absl::ResourceExhaustedError(
               absl::StrCat(destination_.address(),
                            ": the server has no descriptors left; raise its "
                            "limit (ulimit -n)")),
           destination_.link_options());
  }
  socket = absl::CancelledError();  // closes it, which leaves a descriptor for
                                    // the spare one
  spare_ = OpenSpare();
  return accepted;
}

absl::optional<DirectListener::Handshake> DirectListener::TakeHandshake(
    uint64_t id) {
  auto it = handshakes_.find(id);
  if (it == handshakes_.end()) return absl::nullopt;
  Handshake handshake = std::move(it->second);
  handshakes_.erase(it);
  Reactor::Get().CancelTimer(handshake.timer);
  Reactor::Get().Unwatch(handshake.source, handshake.socket.get());
  return handshake;
}

void DirectListener::OnHello(uint64_t id) {
  absl::MutexLock lock(&mu_);
  absl::optional<Handshake> handshake = TakeHandshake(id);
  if (!handshake.has_value()) return;
  // What goes wrong here, the client has been told.
  absl::StatusOr<std::unique_ptr<Link>> link =
      MakeLink(std::move(handshake->socket));
  if (!link.ok()) {
    Pause(kPauseAfterNoCall);
    return;
  }
  auto served = std::make_shared<ServedLink>(shared_from_this(), **link);
  absl::StatusOr<std::shared_ptr<Session>> session = Session::Start(
      *std::move(link), destination_.NewSessionOptions(), served);
  if (!session.ok()) return;
  served->set_session(*std::move(session));
  links_.emplace(served.get(), served);
  ++links_of_user_[served->user()];
  link_bytes_ += served->bytes();
}

void DirectListener::OnHandshakeTimeout(uint64_t id) {
  absl::MutexLock lock(&mu_);
  TakeHandshake(id);
}

void DirectListener::Forget(ServedLink* link) {
  std::shared_ptr<ServedLink> forgotten;  // destroyed without the lock
  absl::MutexLock lock(&mu_);
  auto it = links_.find(link);
  if (it == links_.end()) return;
  forgotten = std::move(it->second);
  links_.erase(it);
  link_bytes_ -= forgotten->bytes();
  if (!forgotten->has_called()) Pause(kPauseAfterNoCall);
  const auto of_user = links_of_user_.find(forgotten->user());
  if (--of_user->second == 0) links_of_user_.erase(of_user);
}

void DirectListener::Drain() {
  std::vector<std::shared_ptr<ServedLink>> links;
  {
    absl::MutexLock lock(&mu_);
    if (listening_ == nullptr) return;
    Reactor::Get().Unwatch(source_, listening_->fd());
    listening_.reset();
    while (!handshakes_.empty()) TakeHandshake(handshakes_.begin()->first);
    for (const auto& [key, link] : links_) links.push_back(link);
  }
  for (const auto& link : links)
    link->session()->GoAway("the server is shutting down");
}

void DirectListener::AwaitIdle(absl::Time deadline) {
  absl::MutexLock lock(&mu_);
  // A drained session closes by itself after its last call.
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return links_.empty();
  };
  mu_.AwaitWithDeadline(absl::Condition(&idle), deadline);
}

void DirectListener::Close() {
  std::vector<std::shared_ptr<ServedLink>> links;
  {
    absl::MutexLock lock(&mu_);
    for (const auto& [key, link] : links_) links.push_back(link);
  }
  for (const auto& link : links) {
    link->session()->Close(absl::UnavailableError(
        absl::StrCat(destination_.address(), ": the server has shut down")));
  }
  destination_.inline_host()->AwaitNone();
}

ListenerStats DirectListener::stats() const {
  ListenerStats stats = destination_.stats();
  absl::MutexLock lock(&mu_);
  stats.links = links_.size();
  return stats;
}

}  // namespace grpc_shm
