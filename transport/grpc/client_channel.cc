// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/client_channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/grpc/convert.h"
#include "transport/link/address.h"
#include "transport/link/handshake.h"
#include "transport/link/listening_name.h"
#include "transport/link/rendezvous.h"

namespace grpc_shm {
namespace {

// The first retry after a failure: nearly a formality while the name is
// watched, all there is otherwise.
constexpr absl::Duration kWatchedBackoff = absl::Seconds(1);
constexpr absl::Duration kUnwatchedBackoff = absl::Milliseconds(20);

// When to look again for the socket of a server that seems to be dead, and when
// no more.
constexpr absl::Duration kFirstLookAgain = absl::Milliseconds(5);
constexpr absl::Duration kLastLookAgain = absl::Milliseconds(500);

// A server that was killed leaves its socket behind, for nobody. The kernel
// takes its lock from it some time after its link, and tells of the latter
// only.
void RemoveSocketOfDeadServer(const std::string& name,
                              absl::Duration look_again) {
  if (ListeningName::RemoveStale(name) || look_again > kLastLookAgain) return;
  Reactor::Get().After(look_again, [name, look_again] {
    RemoveSocketOfDeadServer(name, 4 * look_again);
  });
}

}  // namespace

std::shared_ptr<ClientChannel> ClientChannel::Create(const std::string& target,
                                                     const Options& options) {
  absl::StatusOr<std::string> name = ParseDirectAddress(target);
  return std::shared_ptr<ClientChannel>(new ClientChannel(
      target, name.ok() ? *name : std::string(), name.status(), options));
}

ClientChannel::ClientChannel(std::string target, std::string name,
                             absl::Status broken, const Options& options)
    : target_(std::move(target)),
      name_(std::move(name)),
      broken_(std::move(broken)),
      options_(options) {
  MutexLock lock(&mu_);
  if (!broken_.ok())
    state_ = GRPC_CHANNEL_SHUTDOWN;  // as gRPC's own channel for a target it
                                     // can't parse
}

ClientChannel::~ClientChannel() {
  MutexLock lock(&mu_);
  StopConnecting();
  if (retry_timer_ != 0) Reactor::Get().CancelTimer(retry_timer_);
}

void ClientChannel::StartCall(const std::shared_ptr<OutboundCall>& call) {
  Effects effects;
  {
    MutexLock lock(&mu_);
    if (!broken_.ok()) {
      effects.failed.push_back(call);
      effects.failure = broken_;
    } else if (session_ != nullptr) {
      effects.session = session_;
      effects.started.push_back(call);
    } else {
      waiting_.push_back(call);
      Connect(&effects);
    }
  }
  Perform(std::move(effects));
}

void ClientChannel::ForgetCall(const OutboundCall* call) {
  std::shared_ptr<OutboundCall> forgotten;  // destroyed without the lock
  MutexLock lock(&mu_);
  auto it =
      std::find_if(waiting_.begin(), waiting_.end(),
                   [call](const auto& each) { return each.get() == call; });
  if (it == waiting_.end()) return;
  forgotten = std::move(*it);
  waiting_.erase(it);
  StopIfUnused();
}

std::shared_ptr<Session> ClientChannel::session() {
  MutexLock lock(&mu_);
  return session_;
}

void ClientChannel::Release() {
  Effects effects;
  {
    MutexLock lock(&mu_);
    released_ = true;
    effects.to_close = std::move(session_);
    session_ = nullptr;
    StopIfUnused();
  }
  Perform(std::move(effects));
}

grpc_connectivity_state ClientChannel::GetState(bool try_to_connect) {
  Effects effects;
  grpc_connectivity_state state;
  {
    MutexLock lock(&mu_);
    state = state_;
    if (try_to_connect && state_ == GRPC_CHANNEL_IDLE) Connect(&effects);
  }
  Perform(std::move(effects));
  return state;
}

bool ClientChannel::WaitForStateChange(grpc_connectivity_state last,
                                       absl::Time deadline) {
  MutexLock lock(&mu_);
  while (state_ == last) {
    if (!state_changed_.WaitWithDeadline(&mu_, deadline)) return false;
  }
  return true;
}

void ClientChannel::NotifyOnStateChange(grpc_connectivity_state last,
                                        gpr_timespec deadline,
                                        grpc::CompletionQueue* queue,
                                        void* tag) {
  // Its target is never reached, nor meant to be.
  const std::shared_ptr<grpc::Channel> teller = grpc::CreateChannel(
      "unix:/dev/null/grpc-shm", grpc::InsecureChannelCredentials());
  teller->NotifyOnStateChange(GRPC_CHANNEL_IDLE, deadline, queue, tag);
  const absl::Time now = absl::Now();
  bool changed;
  {
    MutexLock lock(&mu_);
    watchers_.erase(std::remove_if(watchers_.begin(), watchers_.end(),
                                   [now](const StateWatcher& watcher) {
                                     return watcher.deadline < now;
                                   }),
                    watchers_.end());
    changed = state_ != last;
    if (!changed) {
      watchers_.push_back({last, now + TimeLeft(deadline), teller});
    }
  }
  if (changed) teller->GetState(/*try_to_connect=*/true);
}

void ClientChannel::OnGoAway(Session* session) {
  Effects effects;
  {
    MutexLock lock(&mu_);
    if (session_.get() != session) return;
    effects.to_close = std::move(session_);
    session_ = nullptr;
    Lost(&effects);
  }
  Perform(std::move(effects));
}

void ClientChannel::OnClosed(Session* session, const absl::Status& /*status*/) {
  Effects effects;
  std::shared_ptr<Session> closed;  // destroyed without the lock
  {
    MutexLock lock(&mu_);
    if (session_.get() != session) return;
    closed = std::move(session_);
    session_ = nullptr;
    Lost(&effects);
  }
  RemoveSocketOfDeadServer(name_, kFirstLookAgain);
  Perform(std::move(effects));
}

void ClientChannel::Lost(Effects* effects) {
  SetState(GRPC_CHANNEL_IDLE, effects);
  if (!waiting_.empty()) Connect(effects);
}

// Begins an attempt, unless there is one.
void ClientChannel::Connect(Effects* effects) {
  if (socket_.valid()) return;
  SetState(GRPC_CHANNEL_CONNECTING, effects);
  for (;;) {
    absl::StatusOr<UniqueFd> socket = grpc_shm::Connect(name_, options_.link);
    if (!socket.ok()) {
      // The name may have appeared between the attempt and the watch: once it
      // is watched, try again.
      if (absl::IsUnavailable(socket.status()) && !name_watch_.active() &&
          StartNameWatch())
        continue;
      ConnectFailed(socket.status(), effects);
      return;
    }
    socket_ = *std::move(socket);
    break;
  }
  const uint64_t attempt = ++attempt_;
  const std::weak_ptr<ClientChannel> weak = weak_from_this();
  absl::StatusOr<Reactor::SourceId> source =
      Reactor::Get().Watch(socket_.get(), EPOLLIN | EPOLLRDHUP | EPOLLONESHOT,
                           [weak, attempt](uint32_t) {
                             if (const auto self = weak.lock())
                               self->OnAnswer(attempt);
                           });
  if (!source.ok()) {
    socket_.reset();
    ConnectFailed(source.status(), effects);
    return;
  }
  source_ = *source;
  handshake_timer_ =
      Reactor::Get().After(options_.handshake_timeout, [weak, attempt] {
        if (const auto self = weak.lock()) self->OnHandshakeTimeout(attempt);
      });
}

void ClientChannel::StopConnecting() {
  if (!socket_.valid()) return;
  Reactor::Get().CancelTimer(handshake_timer_);
  Reactor::Get().Unwatch(source_, socket_.get());
}

void ClientChannel::OnAnswer(uint64_t attempt) {
  Effects effects;
  {
    MutexLock lock(&mu_);
    if (attempt != attempt_ || !socket_.valid()) return;
    StopConnecting();
    absl::StatusOr<std::shared_ptr<Session>> session = FinishConnecting();
    if (session.ok()) {
      name_watch_.Stop();
      if (retry_timer_ != 0)
        Reactor::Get().CancelTimer(std::exchange(retry_timer_, 0));
      backoff_ = absl::ZeroDuration();
      SetState(GRPC_CHANNEL_READY, &effects);
      effects.session = *session;
      effects.started.assign(waiting_.begin(), waiting_.end());
      waiting_.clear();
      if (released_) {
        effects.to_close = *std::move(session);
      } else {
        session_ = *std::move(session);
      }
    } else {
      ConnectFailed(session.status(), &effects);
    }
  }
  Perform(std::move(effects));
}

absl::StatusOr<std::shared_ptr<Session>> ClientChannel::FinishConnecting() {
  absl::StatusOr<std::unique_ptr<Link>> link =
      ReceiveWelcome(std::move(socket_), name_, options_.link);
  if (!link.ok()) return link.status();
  SessionOptions options;
  options.role = SessionOptions::Role::kClient;
  options.address = target_;
  options.max_receive_message_bytes = options_.max_receive_message_bytes;
  options.wait_policy = options_.wait_policy;
  return Session::Start(*std::move(link), std::move(options), weak_from_this());
}

void ClientChannel::OnHandshakeTimeout(uint64_t attempt) {
  Effects effects;
  {
    MutexLock lock(&mu_);
    if (attempt != attempt_ || !socket_.valid()) return;
    StopConnecting();
    socket_.reset();
    ConnectFailed(
        absl::UnavailableError(absl::StrCat(
            target_, ": the server did not answer the hand-shake within ",
            absl::FormatDuration(options_.handshake_timeout),
            "; it may be stopped, or very busy")),
        &effects);
  }
  Perform(std::move(effects));
}

void ClientChannel::ConnectFailed(const absl::Status& status,
                                  Effects* effects) {
  SetState(GRPC_CHANNEL_TRANSIENT_FAILURE, effects);
  effects->failure = status;
  waiting_.remove_if([effects](const std::shared_ptr<OutboundCall>& call) {
    if (call->waits_for_ready()) return false;
    effects->failed.push_back(call);
    return true;
  });
  if (retry_timer_ == 0) {
    const bool watched = name_watch_.active() || StartNameWatch();
    backoff_ = backoff_ == absl::ZeroDuration()
                   ? (watched ? kWatchedBackoff : kUnwatchedBackoff)
                   : std::min(2 * backoff_, options_.max_reconnect_backoff);
    retry_timer_ = Reactor::Get().After(backoff_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Retry();
    });
  }
  StopIfUnused();
}

// The time has come, or the name has appeared.
void ClientChannel::Retry() {
  Effects effects;
  {
    MutexLock lock(&mu_);
    if (retry_timer_ != 0)
      Reactor::Get().CancelTimer(std::exchange(retry_timer_, 0));
    if (state_ == GRPC_CHANNEL_TRANSIENT_FAILURE) Connect(&effects);
  }
  Perform(std::move(effects));
}

bool ClientChannel::StartNameWatch() {
  absl::StatusOr<Rendezvous> rendezvous = Rendezvous::Open();
  if (!rendezvous.ok()) return false;
  absl::StatusOr<NameWatch> watch = NameWatch::Start(
      rendezvous->directory(), name_, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->Retry();
      });
  if (!watch.ok()) return false;
  name_watch_ = *std::move(watch);
  return true;
}

// Nobody will ever want a link any more.
void ClientChannel::StopIfUnused() {
  if (!released_ || !waiting_.empty()) return;
  StopConnecting();
  socket_.reset();
  name_watch_.Stop();
  if (retry_timer_ != 0)
    Reactor::Get().CancelTimer(std::exchange(retry_timer_, 0));
}

void ClientChannel::SetState(grpc_connectivity_state state, Effects* effects) {
  if (state_ == state) return;
  state_ = state;
  state_changed_.Signal();
  auto changed = std::partition(
      watchers_.begin(), watchers_.end(),
      [state](const StateWatcher& watcher) { return watcher.last == state; });
  for (auto it = changed; it != watchers_.end(); ++it)
    effects->tellers.push_back(std::move(it->teller));
  watchers_.erase(changed, watchers_.end());
}

void ClientChannel::Perform(Effects effects) {
  for (const auto& teller : effects.tellers)
    teller->GetState(/*try_to_connect=*/true);
  for (const auto& call : effects.failed) call->Fail(effects.failure);
  for (const auto& call : effects.started) {
    absl::StatusOr<std::shared_ptr<Call>> started =
        effects.session->StartCall(call->Start(), call->handler());
    if (started.ok()) {
      call->OnStarted(*std::move(started));
    } else if (absl::IsUnavailable(started.status())) {
      // The link was lost in between, which the channel learns as well: the
      // call was never sent, so it tries again.
      Effects again;
      {
        MutexLock lock(&mu_);
        if (session_ == effects.session) {
          session_ = nullptr;
          SetState(GRPC_CHANNEL_IDLE, &again);
        }
      }
      Perform(std::move(again));
      StartCall(call);
    } else {
      call->Fail(started.status());
    }
  }
  if (effects.to_close != nullptr) effects.to_close->CloseWhenIdle();
}

}  // namespace grpc_shm
