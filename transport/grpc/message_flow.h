// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_MESSAGE_FLOW_H_
#define GRPC_SHM_TRANSPORT_GRPC_MESSAGE_FLOW_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "proto/inbox.pb.h"

namespace grpc_shm {

// What is counted on one link between two messengers, in both directions: the
// messages on their way, the places for them in the receiver's inbox, and which
// have arrived (proto/inbox.proto). Knows no gRPC and no threads: its owner has
// a lock. Believes nothing that the other side says without checking it.
class MessageFlow {
 public:
  // A message that waits to be written, then for its arrival.
  struct Outgoing {
    std::string data;
    uint64_t number = 0;  // in the order of writing, from 1; 0: not written
  };

  // ---- Messages to the other side.

  // Whether there is a place for one more in its inbox.
  bool has_room() const { return written_ + outbox_.size() < room_; }
  // Takes the place; there is one.
  std::shared_ptr<Outgoing> Queue(std::string data);
  // Gives the place back and forgets the message, unless it has been written.
  bool Withdraw(const std::shared_ptr<Outgoing>& message);
  bool HasArrived(const Outgoing& message) const {
    return message.number != 0 && message.number <= confirmed_;
  }
  // Everything has been written and has arrived.
  bool all_arrived() const { return outbox_.empty() && confirmed_ == written_; }

  // ---- Messages from the other side.

  // The inbox holds `capacity` messages of the other side, of which `taken`
  // are taken now.
  void Open(uint64_t capacity, uint64_t taken);
  // One of its messages, perhaps of an earlier link, has left the inbox.
  void OnReceived() { ++freed_; }

  // ---- Packets.

  // What is to be written next; false if that is nothing.
  bool NextPacket(v1::Packet* packet);

  // Counts what has come. INVALID_ARGUMENT if it can't be, which is the other
  // side's fault. A message in the packet is the owner's to take out.
  absl::Status OnPacket(const v1::Packet& packet);

 private:
  bool RoomIsDue() const;

  std::deque<std::shared_ptr<Outgoing>> outbox_;
  uint64_t written_ = 0;
  uint64_t confirmed_ = 0;  // of those written
  uint64_t room_ = 0;       // for how many, the other side has said

  uint64_t capacity_ = 0;
  uint64_t arrived_ = 0;
  uint64_t said_arrived_ = 0;
  uint64_t said_room_ = 0;
  uint64_t freed_ = 0;  // places that it has not been told of
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_MESSAGE_FLOW_H_
