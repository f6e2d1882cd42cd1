// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_HANDSHAKE_MESSAGES_H_
#define GRPC_SHM_TRANSPORT_LINK_HANDSHAKE_MESSAGES_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/wire.pb.h"

namespace grpc_shm {

// What both halves of the hand-shake share.

// "gshm", little-endian: the first field of each packet.
inline constexpr uint32_t kHandshakeMagic = 0x6d687367;

// The descriptors that come with a Welcome, in this order.
inline constexpr size_t kWelcomeSegment = 0;
inline constexpr size_t kWelcomeServerDoorbell = 1;
inline constexpr size_t kWelcomeClientDoorbell = 2;
inline constexpr size_t kWelcomeDescriptors = 3;
// And one more where calls are offered.
inline constexpr size_t kWelcomeBoard = 3;

// Reads one packet as a Hello or an Answer; false if it is not one.
template <class Message>
bool ParseHandshake(absl::string_view bytes, Message* message) {
  return message->ParseFromArray(bytes.data(),
                                 static_cast<int>(bytes.size())) &&
         message->magic() == kHandshakeMagic;
}

// FAILED_PRECONDITION: a client and a server of different versions.
absl::Status VersionMismatch(uint32_t client, uint32_t server);

// `status` with "shm:NAME: " before its message.
absl::Status WithAddress(absl::string_view name, const absl::Status& status);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_HANDSHAKE_MESSAGES_H_
