// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/direct_channel.h"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/base/monotonic_clock.h"
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

// When to try again to be accepted by a server for whom many wait: it accepts
// 64 at once, and a knock takes microseconds.
constexpr absl::Duration kFirstKnock = absl::Milliseconds(1);
constexpr absl::Duration kLastKnock = absl::Milliseconds(64);

// When to look again for the socket of a server that seems to be dead, and when
// no more.
constexpr absl::Duration kFirstLookAgain = absl::Milliseconds(5);
constexpr absl::Duration kLastLookAgain = absl::Milliseconds(500);

// A server that was killed leaves its socket behind, for nobody. The kernel
// takes its lock from it some time after its link, and tells of the latter
// only.
void RemoveSocketOfDeadServer(const std::string& name,
                              const RendezvousOptions& where,
                              absl::Duration look_again) {
  if (ListeningName::RemoveStale(name, where) || look_again > kLastLookAgain) {
    return;
  }
  Reactor::Get().After(look_again, [name, where, look_again] {
    RemoveSocketOfDeadServer(name, where, 4 * look_again);
  });
}

}  // namespace

std::shared_ptr<DirectChannel> DirectChannel::Create(const std::string& target,
                                                     const Options& options) {
  return std::shared_ptr<DirectChannel>(new DirectChannel(target, options));
}

DirectChannel::DirectChannel(const std::string& target, const Options& options)
    : ClientChannel(target, ParseDirectAddress(target), options) {}

DirectChannel::~DirectChannel() {
  MutexLock lock(&mu_);
  StopConnecting();
  if (retry_timer_ != 0) Reactor::Get().CancelTimer(retry_timer_);
}

void DirectChannel::DoStartCall(const std::shared_ptr<OutboundCall>& call) {
  std::shared_ptr<Session> session;
  Effects effects;
  {
    MutexLock lock(&mu_);
    session = session_;
    if (session == nullptr) {
      waiting_.push_back(call);
      Connect(&effects);
    }
  }
  if (session != nullptr) return StartOn(session, call);
  Perform(std::move(effects));
}

void DirectChannel::StartOn(const std::shared_ptr<Session>& session,
                            const std::shared_ptr<OutboundCall>& call) {
  absl::StatusOr<std::shared_ptr<Call>> started =
      session->StartCall(call->Start(), call->handler());
  if (started.ok()) {
    call->OnStarted(*std::move(started));
  } else if (absl::IsUnavailable(started.status())) {
    // The link was lost in between, which the channel learns as well: the call
    // was never sent, so it tries again.
    Effects again;
    {
      MutexLock lock(&mu_);
      if (session_ == session) {
        session_ = nullptr;
        SetState(GRPC_CHANNEL_IDLE, &again);
      }
    }
    Perform(std::move(again));
    DoStartCall(call);
  } else {
    call->Fail(started.status());
  }
}

void DirectChannel::ForgetCall(const OutboundCall* call) {
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

std::shared_ptr<Session> DirectChannel::session(
    std::vector<std::shared_ptr<Session>>* /*others*/) {
  MutexLock lock(&mu_);
  return session_;
}

void DirectChannel::Release() {
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

grpc_connectivity_state DirectChannel::GetState(bool try_to_connect) {
  Effects effects;
  grpc_connectivity_state state;
  {
    MutexLock lock(&mu_);
    state = connectivity().state();
    if (try_to_connect && state == GRPC_CHANNEL_IDLE) Connect(&effects);
  }
  Perform(std::move(effects));
  return state;
}

void DirectChannel::OnGoAway(Session* session) {
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

void DirectChannel::OnClosed(Session* session, const absl::Status& /*status*/) {
  Effects effects;
  std::shared_ptr<Session> closed;  // destroyed without the lock
  {
    MutexLock lock(&mu_);
    if (session_.get() != session) return;
    closed = std::move(session_);
    session_ = nullptr;
    Lost(&effects);
  }
  RemoveSocketOfDeadServer(name(), ClientRendezvous(options().link),
                           kFirstLookAgain);
  Perform(std::move(effects));
}

void DirectChannel::Lost(Effects* effects) {
  SetState(GRPC_CHANNEL_IDLE, effects);
  if (!waiting_.empty()) Connect(effects);
}

// Begins an attempt, unless there is one.
void DirectChannel::Connect(Effects* effects) {
  if (socket_.valid() || knock_timer_ != 0) return;
  SetState(GRPC_CHANNEL_CONNECTING, effects);
  ++attempt_;
  give_up_ =
      MonotonicNanos() + absl::ToInt64Nanoseconds(options().handshake_timeout);
  next_knock_ = kFirstKnock;
  Knock(effects);
}

void DirectChannel::Knock(Effects* effects) {
  for (;;) {
    absl::StatusOr<UniqueFd> socket = grpc_shm::Connect(name(), options().link);
    if (!socket.ok()) {
      if (IsCrowded(socket.status()) && MonotonicNanos() < give_up_) {
        KnockLater();
        return;
      }
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
  const uint64_t attempt = attempt_;
  const std::weak_ptr<DirectChannel> weak = weak_from_this();
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
  handshake_timer_ = Reactor::Get().At(give_up_, [weak, attempt] {
    if (const auto self = weak.lock()) self->OnHandshakeTimeout(attempt);
  });
}

void DirectChannel::KnockLater() {
  const int64_t when = MonotonicNanos() + absl::ToInt64Nanoseconds(next_knock_);
  knock_timer_ = Reactor::Get().At(
      std::min(when, give_up_), [weak = weak_from_this(), attempt = attempt_] {
        const auto self = weak.lock();
        if (self == nullptr) return;
        Effects effects;
        {
          MutexLock lock(&self->mu_);
          if (attempt != self->attempt_ || self->knock_timer_ == 0) return;
          self->knock_timer_ = 0;
          self->Knock(&effects);
        }
        self->Perform(std::move(effects));
      });
  next_knock_ = std::min(2 * next_knock_, kLastKnock);
}

void DirectChannel::StopConnecting() {
  if (knock_timer_ != 0)
    Reactor::Get().CancelTimer(std::exchange(knock_timer_, 0));
  if (!socket_.valid()) return;
  Reactor::Get().CancelTimer(handshake_timer_);
  Reactor::Get().Unwatch(source_, socket_.get());
}

void DirectChannel::OnAnswer(uint64_t attempt) {
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

absl::StatusOr<std::shared_ptr<Session>> DirectChannel::FinishConnecting() {
  absl::StatusOr<std::unique_ptr<Link>> link =
      ReceiveWelcome(std::move(socket_), name(), options().link);
  if (!link.ok()) return link.status();
  SessionOptions options = NewSessionOptions();
  options.untaken = untaken();
  return Session::Start(*std::move(link), std::move(options), weak_from_this());
}

void DirectChannel::OnHandshakeTimeout(uint64_t attempt) {
  Effects effects;
  {
    MutexLock lock(&mu_);
    if (attempt != attempt_ || !socket_.valid()) return;
    StopConnecting();
    socket_.reset();
    ConnectFailed(
        absl::UnavailableError(absl::StrCat(
            target(), ": the server did not answer the hand-shake within ",
            absl::FormatDuration(options().handshake_timeout),
            "; it may be stopped, or very busy")),
        &effects);
  }
  Perform(std::move(effects));
}

void DirectChannel::ConnectFailed(const absl::Status& status,
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
                   : std::min(2 * backoff_, options().max_reconnect_backoff);
    retry_timer_ = Reactor::Get().After(backoff_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Retry();
    });
  }
  StopIfUnused();
}

// The time has come, or the name has appeared.
void DirectChannel::Retry() {
  Effects effects;
  {
    MutexLock lock(&mu_);
    if (retry_timer_ != 0)
      Reactor::Get().CancelTimer(std::exchange(retry_timer_, 0));
    if (connectivity().state() == GRPC_CHANNEL_TRANSIENT_FAILURE)
      Connect(&effects);
  }
  Perform(std::move(effects));
}

bool DirectChannel::StartNameWatch() {
  absl::StatusOr<Rendezvous> rendezvous =
      Rendezvous::Open(ClientRendezvous(options().link));
  if (!rendezvous.ok()) return false;
  absl::StatusOr<NameWatch> watch = NameWatch::Start(
      rendezvous->directory(), name(), [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->Retry();
      });
  if (!watch.ok()) return false;
  name_watch_ = *std::move(watch);
  return true;
}

// Nobody will ever want a link any more.
void DirectChannel::StopIfUnused() {
  if (!released_ || !waiting_.empty()) return;
  StopConnecting();
  socket_.reset();
  name_watch_.Stop();
  if (retry_timer_ != 0)
    Reactor::Get().CancelTimer(std::exchange(retry_timer_, 0));
}

void DirectChannel::SetState(grpc_connectivity_state state, Effects* effects) {
  connectivity().Set(state, &effects->tellers);
}

void DirectChannel::Perform(Effects effects) {
  Connectivity::Tell(effects.tellers);
  for (const auto& call : effects.failed) call->Fail(effects.failure);
  for (const auto& call : effects.started) StartOn(effects.session, call);
  if (effects.to_close != nullptr) effects.to_close->CloseWhenIdle();
}

}  // namespace grpc_shm
