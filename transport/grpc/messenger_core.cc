// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Sending and receiving. How links are made is in messenger_links.cc.

#include "transport/grpc/messenger_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/link/address.h"

namespace grpc_shm {
namespace {

absl::Status Closed(const std::string& name) {
  return absl::CancelledError(
      absl::StrCat("the messenger ", name, " is closed"));
}

}  // namespace

void MessengerCore::Effects::Perform() {
  for (const auto& stream : begun) stream->Begin();
  for (const auto& stream : woken) stream->Wake();
  for (const auto& stream : cancelled) stream->Cancel();
  for (const auto& [stream, status] : over) stream->End(status);
}

size_t MessengerCore::links() const {
  absl::MutexLock lock(&mu_);
  return std::count_if(peers_.begin(), peers_.end(), [](const auto& entry) {
    return entry.second.link != nullptr;
  });
}

// ---- Sending

MessengerCore::Place MessengerCore::PlaceAt(const std::string& to) const {
  const auto it = peers_.find(to);
  if (to == name_) {
    const size_t taken = it == peers_.end() ? 0 : it->second.arrivals.size();
    return taken < options_.inbox_messages ? Place::kFree : Place::kNone;
  }
  if (it == peers_.end()) return Place::kNoLink;
  if (it->second.link != nullptr) {
    return it->second.link->flow.has_room() ? Place::kFree : Place::kNone;
  }
  return it->second.call == nullptr ? Place::kNoLink : Place::kNone;
}

// There is a place. To ourselves, nothing is on the way afterwards: null.
absl::StatusOr<std::shared_ptr<MessageFlow::Outgoing>> MessengerCore::Queue(
    const std::string& to, absl::string_view data, ConnectionPtr* link,
    Effects* effects) {
  if (to != name_) *link = peers_[to].link;
  const uint64_t limit = *link == nullptr ? options_.max_message_bytes
                                          : (*link)->max_message_bytes;
  if (data.size() > limit) {
    return absl::ResourceExhaustedError(
        absl::StrCat(to, " receives messages of up to ", limit,
                     " bytes (MessengerOptions::max_message_bytes); this one "
                     "has ",
                     data.size()));
  }
  if (*link == nullptr) {
    Deliver(name_, std::string(data));
    return nullptr;
  }
  effects->woken.push_back((*link)->stream);
  return (*link)->flow.Queue(std::string(data));
}

absl::Status MessengerCore::Send(const std::string& to, absl::string_view data,
                                 absl::Time deadline) {
  ConnectionPtr link;
  std::shared_ptr<MessageFlow::Outgoing> sent;
  for (ConnectionPtr tried; sent == nullptr;) {
    Effects effects;
    {
      absl::MutexLock lock(&mu_);
      const auto ready = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return closed_ || PlaceAt(to) != Place::kNone;
      };
      if (!mu_.AwaitWithDeadline(absl::Condition(&ready), deadline)) {
        return absl::DeadlineExceededError(absl::StrCat(
            "the inbox of ", to,
            " had no place in time, or it could not be reached; the message "
            "was not sent"));
      }
      if (closed_) return Closed(name_);
      if (PlaceAt(to) == Place::kFree) {
        auto queued = Queue(to, data, &link, &effects);
        if (!queued.ok() || *queued == nullptr) return queued.status();
        sent = *std::move(queued);
      } else {
        if (tried != nullptr && !tried->failure.ok()) return tried->failure;
        tried = NewCall(to, &effects);
      }
    }
    effects.Perform();
  }
  return AwaitArrival(link, sent, deadline);
}

absl::Status MessengerCore::AwaitArrival(
    const ConnectionPtr& link,
    const std::shared_ptr<MessageFlow::Outgoing>& sent, absl::Time deadline) {
  absl::MutexLock lock(&mu_);
  const auto ready = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return link->flow.HasArrived(*sent) || link->reads_ended || closed_;
  };
  const bool in_time = mu_.AwaitWithDeadline(absl::Condition(&ready), deadline);
  if (link->flow.HasArrived(*sent)) return absl::OkStatus();
  const bool withdrawn = link->flow.Withdraw(sent);
  const absl::string_view fate =
      withdrawn ? "; the message was not sent" : "; the message may arrive";
  if (link->reads_ended) {
    return absl::UnavailableError(absl::StrCat(
        link->peer, " ended before it confirmed the message", fate));
  }
  if (in_time) return Closed(name_);
  return absl::DeadlineExceededError(
      absl::StrCat(link->peer, " did not confirm the message in time", fate));
}

absl::Status MessengerCore::TrySend(const std::string& to,
                                    absl::string_view data) {
  Effects effects;
  absl::Status status;
  {
    absl::MutexLock lock(&mu_);
    if (closed_) return Closed(name_);
    ConnectionPtr link;
    switch (PlaceAt(to)) {
      case Place::kFree:
        status = Queue(to, data, &link, &effects).status();
        break;
      case Place::kNone: {
        const bool linked = to == name_ || peers_[to].link != nullptr;
        status = absl::UnavailableError(
            linked ? absl::StrCat("the inbox of ", to, " is full")
                   : absl::StrCat("the link to ", to, " is being made"));
        break;
      }
      case Place::kNoLink:
        status = peers_[to].failure;
        if (status.ok()) {
          status = absl::UnavailableError(
              absl::StrCat("the link to ", to, " is being made"));
        }
        NewCall(to, &effects);
        break;
    }
  }
  effects.Perform();
  return status;
}

// ---- Receiving

void MessengerCore::Deliver(const std::string& sender, std::string data) {
  peers_[sender].arrivals.push_back(next_arrival_);
  inbox_.emplace(next_arrival_++, Messenger::Message{sender, std::move(data)});
}

bool MessengerCore::HasMessage(const std::string* from) const {
  if (from == nullptr) return !inbox_.empty();
  const auto it = peers_.find(*from);
  return it != peers_.end() && !it->second.arrivals.empty();
}

Messenger::Message MessengerCore::Take(const std::string* from,
                                       Effects* effects) {
  const auto it = from == nullptr ? inbox_.begin()
                                  : inbox_.find(peers_[*from].arrivals.front());
  Messenger::Message message = std::move(it->second);
  inbox_.erase(it);
  // The oldest of all is the oldest of its sender, too.
  Peer& peer = peers_[message.sender];
  peer.arrivals.pop_front();
  for (const ConnectionPtr& connection : {peer.link, peer.call}) {
    if (connection == nullptr) continue;
    connection->flow.OnReceived();
    effects->woken.push_back(connection->stream);
  }
  ForgetIfUnused(message.sender);
  return message;
}

absl::StatusOr<Messenger::Message> MessengerCore::Receive(
    const std::string* from, absl::Time deadline) {
  Effects effects;
  absl::StatusOr<Messenger::Message> message;
  {
    absl::MutexLock lock(&mu_);
    const auto ready = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return closed_ || HasMessage(from);
    };
    if (!mu_.AwaitWithDeadline(absl::Condition(&ready), deadline)) {
      return absl::DeadlineExceededError(
          absl::StrCat("no message came from ",
                       from == nullptr ? "anybody" : *from, " in time"));
    }
    if (closed_) return Closed(name_);
    message = Take(from, &effects);
  }
  effects.Perform();
  return message;
}

absl::StatusOr<Messenger::Message> MessengerCore::TryReceive(
    const std::string* from) {
  Effects effects;
  absl::StatusOr<Messenger::Message> message;
  {
    absl::MutexLock lock(&mu_);
    if (closed_) return Closed(name_);
    if (!HasMessage(from)) {
      return absl::UnavailableError(absl::StrCat(
          "there is no message from ", from == nullptr ? "anybody" : *from));
    }
    message = Take(from, &effects);
  }
  effects.Perform();
  return message;
}

}  // namespace grpc_shm
