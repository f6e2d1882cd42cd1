// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/message_flow.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grpc_shm {

std::shared_ptr<MessageFlow::Outgoing> MessageFlow::Queue(std::string data) {
  auto message = std::make_shared<Outgoing>();
  message->data = std::move(data);
  outbox_.push_back(message);
  return message;
}

bool MessageFlow::Withdraw(const std::shared_ptr<Outgoing>& message) {
  const auto it = std::find(outbox_.begin(), outbox_.end(), message);
  if (it == outbox_.end()) return false;
  outbox_.erase(it);
  return true;
}

void MessageFlow::Open(uint64_t capacity, uint64_t taken) {
  capacity_ = capacity;
  freed_ = capacity - std::min(capacity, taken);
}

// To say it at each message would cost a packet for each. But a sender that has
// no place left, or will have none once its messages on the way are here, is
// told at once: it waits only while the inbox is full.
bool MessageFlow::RoomIsDue() const {
  if (freed_ == 0) return false;
  return said_room_ == arrived_ || freed_ >= (capacity_ + 1) / 2;
}

bool MessageFlow::NextPacket(v1::Packet* packet) {
  const bool room_is_due = RoomIsDue();
  if (outbox_.empty() && said_arrived_ == arrived_ && !room_is_due) {
    return false;
  }
  if (!outbox_.empty()) {
    Outgoing& message = *outbox_.front();
    message.number = ++written_;
    packet->set_message(std::move(message.data));
    outbox_.pop_front();
  }
  packet->set_arrived(arrived_);
  said_arrived_ = arrived_;
  if (room_is_due) {
    said_room_ += freed_;
    freed_ = 0;
    packet->set_room(said_room_);
  }
  return true;
}

absl::Status MessageFlow::OnPacket(const v1::Packet& packet) {
  if (packet.arrived() != 0) {
    if (packet.arrived() < confirmed_ || packet.arrived() > written_) {
      return absl::InvalidArgumentError(
          absl::StrCat(packet.arrived(), " messages are said to have arrived; ",
                       confirmed_, " had, and ", written_, " were sent"));
    }
    confirmed_ = packet.arrived();
  }
  if (packet.room() != 0) {
    if (packet.room() < room_) {
      return absl::InvalidArgumentError(absl::StrCat(
          "room for ", packet.room(), " messages after room for ", room_));
    }
    room_ = packet.room();
  }
  if (packet.has_message()) {
    if (arrived_ == said_room_) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a message came for which there is no room, after ", arrived_));
    }
    ++arrived_;
  }
  return absl::OkStatus();
}

}  // namespace grpc_shm
