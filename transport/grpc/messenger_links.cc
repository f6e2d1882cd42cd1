// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// How links are made, which of two calls becomes one, and how they end.

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "transport/channel.h"
#include "transport/grpc/messenger_core.h"
#include "transport/link/address.h"
#include "transport/link/name_holder.h"
#include "transport/peer_identity.h"

namespace grpc_shm {
namespace {

bool IsName(absl::string_view name) {
  return ParseDirectAddress(DirectAddress(name)).ok();
}

}  // namespace

MessengerCore::ConnectionPtr MessengerCore::NewCall(const std::string& to,
                                                    Effects* effects) {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(static_cast<int>(options_.max_message_bytes) +
                                kPacketOverheadBytes);
  args.SetInt(kWaitPolicyArg, static_cast<int>(options_.wait_policy));
  auto connection = std::make_shared<Connection>();
  connection->peer = to;
  connection->is_ours = true;
  connection->hello_is_due = true;
  connection->stream = MessageStream::Call(
      shared_from_this(), CreateChannel(DirectAddress(to), nullptr, args),
      options_.wait_for_ready, queue_);
  Peer& peer = peers_[to];
  connection->flow.Open(options_.inbox_messages, peer.arrivals.size());
  peer.call = connection;
  connections_.emplace(connection->stream.get(), connection);
  effects->begun.push_back(connection->stream);
  return connection;
}

void MessengerCore::OnCall(const std::shared_ptr<MessageStream>& stream,
                           const grpc::ServerContext& context) {
  auto connection = std::make_shared<Connection>();
  const absl::StatusOr<PeerIdentity> caller = PeerIdentity::From(context);
  if (caller.ok()) connection->pid = caller->pid;
  connection->stream = stream;
  bool closed;
  {
    absl::MutexLock lock(&mu_);
    closed = closed_;
    connections_.emplace(stream.get(), connection);
  }
  stream->Begin();
  if (closed) {
    stream->End(absl::UnavailableError(
        absl::StrCat("the messenger ", name_, " is closing")));
  }
}

// The kernel says who called, and who listens at the address of the name that
// the caller claims. Only one process can have both.
absl::Status MessengerCore::VerifyCaller(const Connection& caller,
                                         const std::string& claimed) const {
  if (!IsName(claimed) || claimed == name_) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", absl::Utf8SafeCHexEscape(claimed),
                     "' is no other messenger's name"));
  }
  if (caller.pid == 0) {
    return absl::PermissionDeniedError(
        "messengers call each other through shared memory alone, in one pid "
        "namespace");
  }
  absl::StatusOr<PeerCredentials> holder = NameHolder(claimed);
  if (!holder.ok()) {
    return absl::PermissionDeniedError(
        absl::StrCat("the caller says that it is ", claimed,
                     ", which can't be verified: ", holder.status().message()));
  }
  if (holder->pid == caller.pid) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      "process ", caller.pid, " says that it is ", claimed, ", but process ",
      holder->pid, " listens at ", DirectAddress(claimed)));
}

void MessengerCore::OnPacket(MessageStream* stream, v1::Packet packet) {
  ConnectionPtr connection;
  absl::Status status;
  Effects effects;
  {
    absl::MutexLock lock(&mu_);
    connection = Find(stream);
  }
  // One packet comes at a time, so that nobody else touches these now.
  if (!connection->failure.ok()) return;
  if (packet.has_hello() == connection->heard_hello) {
    status = absl::InvalidArgumentError(
        "the first packet has a Hello, and no other");
  } else if (packet.has_hello() && !connection->is_ours) {
    status = VerifyCaller(*connection, packet.hello().name());
  } else if (packet.has_hello()) {
    const absl::StatusOr<PeerCredentials> holder = NameHolder(connection->peer);
    if (holder.ok()) connection->pid = holder->pid;
  }
  {
    absl::MutexLock lock(&mu_);
    if (status.ok() && packet.has_hello()) {
      status = OnHello(connection, packet.hello(), &effects);
    }
    // What nobody will receive is not confirmed.
    if (closed_ || !IsLink(*connection)) packet.clear_message();
    if (status.ok()) status = connection->flow.OnPacket(packet);
    if (status.ok()) {
      if (packet.has_message()) {
        Deliver(connection->peer, std::move(*packet.mutable_message()));
      }
      effects.woken.push_back(connection->stream);
    } else {
      connection->failure = status;
      if (connection->is_ours) {
        effects.cancelled.push_back(connection->stream);
      } else {
        effects.over.emplace_back(connection->stream, status);
      }
    }
  }
  effects.Perform();
}

absl::Status MessengerCore::OnHello(const ConnectionPtr& connection,
                                    const v1::Hello& hello, Effects* effects) {
  connection->heard_hello = true;
  connection->max_message_bytes = hello.max_message_bytes();
  if (connection->is_ours) {
    if (hello.name() != connection->peer) {
      return absl::FailedPreconditionError(
          absl::StrCat(DirectAddress(connection->peer),
                       " is the messenger of another name, '",
                       absl::Utf8SafeCHexEscape(hello.name()), "'"));
    }
    // Given up meanwhile: see below.
    if (!connection->superseded && !closed_) {
      MakeLink(connection, &peers_[connection->peer], effects);
    }
    return absl::OkStatus();
  }
  if (closed_) {
    return absl::UnavailableError(
        absl::StrCat("the messenger ", name_, " is closing"));
  }
  connection->peer = hello.name();
  Peer& peer = peers_[hello.name()];
  EndForeign(&peer, connection->pid, effects);
  peer.callers.push_back(connection);
  if (peer.call != nullptr && hello.name() < name_) {
    // Both call; theirs stays.
    peer.call->superseded = true;
    effects->cancelled.push_back(peer.call->stream);
    peer.call = nullptr;
  }
  AnswerNext(hello.name(), effects);
  return absl::OkStatus();
}

// `pid` has the name now. Another process that had it is dead, which its link
// does not show yet, or has given it up.
void MessengerCore::EndForeign(Peer* peer, pid_t pid, Effects* effects) {
  if (peer->link != nullptr && peer->link->pid != 0 && peer->link->pid != pid) {
    effects->cancelled.push_back(peer->link->stream);
    peer->link = nullptr;
  }
  for (const ConnectionPtr& caller : peer->callers) {
    if (caller->pid != pid) effects->cancelled.push_back(caller->stream);
  }
  peer->callers.erase(std::remove_if(peer->callers.begin(), peer->callers.end(),
                                     [pid](const ConnectionPtr& caller) {
                                       return caller->pid != pid;
                                     }),
                      peer->callers.end());
}

void MessengerCore::AnswerNext(const std::string& name, Effects* effects) {
  Peer& peer = peers_[name];
  if (peer.link != nullptr || peer.call != nullptr || peer.callers.empty() ||
      closed_) {
    return;
  }
  const ConnectionPtr caller = peer.callers.front();
  peer.callers.pop_front();
  caller->hello_is_due = true;
  caller->flow.Open(options_.inbox_messages, peer.arrivals.size());
  MakeLink(caller, &peer, effects);
}

void MessengerCore::MakeLink(const ConnectionPtr& connection, Peer* peer,
                             Effects* effects) {
  peer->failure = absl::OkStatus();
  if (peer->call == connection) peer->call = nullptr;
  peer->link = connection;
  effects->woken.push_back(connection->stream);
}

bool MessengerCore::NextPacket(MessageStream* stream, v1::Packet* packet) {
  absl::MutexLock lock(&mu_);
  const ConnectionPtr connection = Find(stream);
  if (connection->hello_is_due) {
    connection->hello_is_due = false;
    packet->mutable_hello()->set_name(name_);
    packet->mutable_hello()->set_max_message_bytes(options_.max_message_bytes);
    connection->flow.NextPacket(packet);
    return true;
  }
  return IsLink(*connection) && connection->flow.NextPacket(packet);
}

void MessengerCore::OnReadsEnded(MessageStream* stream) {
  Effects effects;
  {
    absl::MutexLock lock(&mu_);
    const ConnectionPtr connection = Find(stream);
    connection->reads_ended = true;
    const auto it = peers_.find(connection->peer);
    if (it == peers_.end()) return;
    auto& callers = it->second.callers;
    callers.erase(std::remove(callers.begin(), callers.end(), connection),
                  callers.end());
    if (it->second.link == connection) {
      it->second.link = nullptr;
      AnswerNext(connection->peer, &effects);
    }
    ForgetIfUnused(connection->peer);
  }
  effects.Perform();
}

void MessengerCore::OnEnded(MessageStream* stream, const absl::Status& status) {
  Effects effects;
  ConnectionPtr connection;  // destroyed without the lock
  {
    absl::MutexLock lock(&mu_);
    connection = Find(stream);
    connections_.erase(stream);
    const auto it = peers_.find(connection->peer);
    if (it == peers_.end() || it->second.call != connection) return;
    // Our call was not answered.
    absl::Status& failure = connection->failure;
    if (!failure.ok()) {
      // Our own judgement.
    } else if (absl::IsUnimplemented(status)) {
      failure = absl::FailedPreconditionError(
          absl::StrCat("what listens at ", DirectAddress(connection->peer),
                       " is not a messenger"));
    } else if (status.ok()) {
      failure = absl::UnavailableError(
          absl::StrCat(connection->peer, " closed its messenger"));
    } else {
      failure = status;
    }
    it->second.call = nullptr;
    it->second.failure = failure;
    AnswerNext(connection->peer, &effects);
  }
  effects.Perform();
}

void MessengerCore::Close(absl::Time deadline) {
  Effects effects;
  {
    absl::MutexLock lock(&mu_);
    closed_ = true;
    for (const auto& [stream, connection] : connections_) {
      if (IsLink(*connection)) continue;
      if (connection->is_ours) {
        effects.cancelled.push_back(connection->stream);
      } else {
        effects.over.emplace_back(connection->stream,
                                  absl::UnavailableError(absl::StrCat(
                                      "the messenger ", name_, " is closing")));
      }
    }
  }
  effects.Perform();
  effects = Effects();
  {
    absl::MutexLock lock(&mu_);
    const auto arrived = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return std::all_of(
          connections_.begin(), connections_.end(),
          [this](const auto& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
            const Connection& connection = *entry.second;
            return !IsLink(connection) || connection.flow.all_arrived();
          });
    };
    const bool in_time =
        mu_.AwaitWithDeadline(absl::Condition(&arrived), deadline);
    for (const auto& [stream, connection] : connections_) {
      if (in_time) {
        effects.over.emplace_back(connection->stream, absl::OkStatus());
      } else {
        effects.cancelled.push_back(connection->stream);
      }
    }
  }
  effects.Perform();
  effects = Effects();
  {
    absl::MutexLock lock(&mu_);
    const auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return connections_.empty();
    };
    if (mu_.AwaitWithDeadline(absl::Condition(&ended), deadline)) return;
    for (const auto& [stream, connection] : connections_) {
      effects.cancelled.push_back(connection->stream);
    }
  }
  effects.Perform();
  absl::MutexLock lock(&mu_);
  const auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return connections_.empty();
  };
  mu_.Await(absl::Condition(&ended));
}

bool MessengerCore::IsLink(const Connection& connection) const {
  const auto it = peers_.find(connection.peer);
  return it != peers_.end() && it->second.link.get() == &connection;
}

MessengerCore::ConnectionPtr MessengerCore::Find(MessageStream* stream) const {
  return connections_.at(stream);
}

void MessengerCore::ForgetIfUnused(const std::string& name) {
  const auto it = peers_.find(name);
  if (it == peers_.end()) return;
  const Peer& peer = it->second;
  if (peer.link == nullptr && peer.call == nullptr && peer.callers.empty() &&
      peer.arrivals.empty() && peer.failure.ok()) {
    peers_.erase(it);
  }
}

}  // namespace grpc_shm
