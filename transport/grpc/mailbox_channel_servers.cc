// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// The links of a mailbox's channel, and what comes over them.

#include <sys/epoll.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/grpc/mailbox_channel.h"
#include "transport/link/handshake.h"

namespace grpc_shm {
namespace {

constexpr int kBacklog = 128;

}  // namespace

absl::Status MailboxChannel::ListenForServers() {
  if (board_ == nullptr) {
    absl::StatusOr<std::unique_ptr<OfferBoard>> board = OfferBoard::Create();
    if (!board.ok()) return board.status();
    board_ = *std::move(board);
    free_slots_.reserve(kOfferSlots);
    // The first is taken first: few calls use few cache lines.
    for (uint32_t slot = kOfferSlots; slot > 0; --slot)
      free_slots_.push_back(slot - 1);
  }
  absl::StatusOr<std::unique_ptr<ReplyAddress>> reply =
      ReplyAddress::Listen(kBacklog);
  if (!reply.ok()) return reply.status();
  absl::StatusOr<Reactor::SourceId> source = Reactor::Get().Watch(
      (*reply)->fd(), EPOLLIN | EPOLLET, [weak = weak_from_this()](uint32_t) {
        if (const auto self = weak.lock()) self->OnConnectable();
      });
  if (!source.ok()) return source.status();
  reply_ = *std::move(reply);
  reply_source_ = *source;
  return absl::OkStatus();
}

void MailboxChannel::StopListening() {
  while (!handshakes_.empty()) TakeHandshake(handshakes_.begin()->first);
  if (reply_ == nullptr) return;
  Reactor::Get().Unwatch(reply_source_, reply_->fd());
  reply_ = nullptr;
}

void MailboxChannel::OnConnectable() {
  MutexLock lock(&mu_);
  while (reply_ != nullptr) {
    absl::StatusOr<UniqueFd> socket = Accept(reply_->fd());
    // Without descriptors the server waits, and gives up after a while.
    if (!socket.ok()) return;
    const uint64_t id = next_handshake_++;
    const std::weak_ptr<MailboxChannel> weak = weak_from_this();
    absl::StatusOr<Reactor::SourceId> source =
        Reactor::Get().Watch(socket->get(), EPOLLIN | EPOLLRDHUP | EPOLLONESHOT,
                             [weak, id](uint32_t) {
                               if (const auto self = weak.lock())
                                 self->OnHello(id);
                             });
    if (!source.ok()) {
      Refuse(*socket, source.status(), options().link);
      continue;
    }
    const Reactor::TimerId timer =
        Reactor::Get().After(options().handshake_timeout, [weak, id] {
          const auto self = weak.lock();
          if (self == nullptr) return;
          MutexLock inner(&self->mu_);
          self->TakeHandshake(id);
        });
    handshakes_.emplace(id, Handshake{*std::move(socket), *source, timer});
  }
}

absl::optional<MailboxChannel::Handshake> MailboxChannel::TakeHandshake(
    uint64_t id) {
  auto it = handshakes_.find(id);
  if (it == handshakes_.end()) return absl::nullopt;
  Handshake handshake = std::move(it->second);
  handshakes_.erase(it);
  Reactor::Get().CancelTimer(handshake.timer);
  Reactor::Get().Unwatch(handshake.source, handshake.socket.get());
  return handshake;
}

void MailboxChannel::OnHello(uint64_t id) {
  Effects effects;
  {
    MutexLock lock(&mu_);
    absl::optional<Handshake> handshake = TakeHandshake(id);
    if (!handshake.has_value() || reply_ == nullptr) return;
    const uint16_t link_number = NextLink();
    board_->OpenLink(link_number);
    effects.failure = absl::UnavailableError(
        absl::StrCat(target(), ": the link to the server was closed"));
    const BoardPass pass{board_->fd(), link_number};
    absl::StatusOr<std::unique_ptr<Link>> link = AnswerHello(
        std::move(handshake->socket), name(), options().link, &pass);
    if (!link.ok()) {
      LinkGone(link_number, &effects);
    } else {
      SessionOptions session_options = NewSessionOptions();
      session_options.offers = true;
      absl::StatusOr<std::shared_ptr<Session>> session = Session::Start(
          *std::move(link), std::move(session_options), weak_from_this());
      if (!session.ok()) {
        LinkGone(link_number, &effects);
      } else {
        if (last_session_ == nullptr) last_session_ = *session;
        Session* const key = session->get();
        servers_.emplace(key, Server{*std::move(session), link_number});
      }
    }
  }
  Perform(std::move(effects));
}

// A number is used again after 65534 links, when nobody has it.
uint16_t MailboxChannel::NextLink() {
  const auto in_use = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    for (const auto& [session, server] : servers_) {
      if (server.link == last_link_) return true;
    }
    return false;
  };
  do {
    if (++last_link_ == kOfferWaiting) last_link_ = 1;
  } while (in_use());
  return last_link_;
}

// What its server had claimed, and has not said so, is lost.
void MailboxChannel::LinkGone(uint16_t link, Effects* effects) {
  board_->CloseLink(link);
  for (auto it = offered_.begin(); it != offered_.end();) {
    const auto current = it++;
    if (!board_->Revoke(current->second.slot, current->first, link)) continue;
    free_slots_.push_back(current->second.slot);
    effects->failed.push_back(std::move(current->second.call));
    offered_.erase(current);
  }
  SendWaiting();
  StopIfUnused(effects);
}

void MailboxChannel::OnAccepted(const std::shared_ptr<Call>& call) {
  Effects effects;
  std::shared_ptr<OutboundCall> outbound;
  {
    MutexLock lock(&mu_);
    auto server = servers_.find(call->session().get());
    auto it = offered_.find(call->id());
    if (server != servers_.end() && it != offered_.end() &&
        board_->Claimant(it->second.slot, it->first) == server->second.link) {
      outbound = std::move(it->second.call);
      free_slots_.push_back(it->second.slot);
      offered_.erase(it);
      if (last_session_ != server->second.session)
        last_session_ = server->second.session;
      if (!waiting_.empty()) SendWaiting();
      if (released_) StopIfUnused(&effects);
    }
  }
  if (outbound != nullptr) {
    call->Attach(outbound->handler());
    outbound->OnStarted(call);
  } else {
    call->Cancel();  // the application gave it up
  }
  if (!effects.to_close.empty() || !effects.mailboxes.empty())
    Perform(std::move(effects));
}

// The server takes no more calls. It closes the link itself when those that it
// has are over; there may be some that it has not told of.
void MailboxChannel::OnGoAway(Session* session) {
  MutexLock lock(&mu_);
  if (last_session_.get() == session) last_session_ = nullptr;
}

void MailboxChannel::OnClosed(Session* session, const absl::Status& status) {
  Effects effects;
  std::shared_ptr<Session> closed;  // destroyed without the lock
  {
    MutexLock lock(&mu_);
    auto it = servers_.find(session);
    if (it == servers_.end()) return;
    closed = std::move(it->second.session);
    const uint16_t link = it->second.link;
    servers_.erase(it);
    if (last_session_ == closed) last_session_ = nullptr;
    effects.failure = status;
    LinkGone(link, &effects);
  }
  Perform(std::move(effects));
}

}  // namespace grpc_shm
