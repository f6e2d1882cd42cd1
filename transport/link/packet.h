// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_PACKET_H_
#define GRPC_SHM_TRANSPORT_LINK_PACKET_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "transport/base/unique_fd.h"

namespace grpc_shm {

// One packet of a unix SEQPACKET socket, with the descriptors that came along
// (SCM_RIGHTS), all of them owned.
struct Packet {
  std::string bytes;
  std::vector<UniqueFd> descriptors;
};

inline constexpr size_t kMaxPacketBytes = 4096;
inline constexpr size_t kMaxPacketDescriptors = 8;

// Sends one packet; never waits, never raises SIGPIPE. The descriptors stay the
// caller's. At most kMaxPacketBytes and kMaxPacketDescriptors.
//
// Fails with UNAVAILABLE when the peer has hung up or its buffer is full,
// RESOURCE_EXHAUSTED when the kernel has no memory, or too many descriptors
// are under way.
absl::Status SendPacket(int socket_fd, absl::string_view bytes,
                        absl::Span<const int> descriptors = {});

// Receives the packet that is waiting; never waits itself. The peer may have
// sent anything: no more than `max_descriptors` (at most kMaxPacketDescriptors)
// ever enter this process, closed on exec; they are closed again on failure.
//
// Fails with UNAVAILABLE when the peer has hung up or nothing is waiting,
// INVALID_ARGUMENT when the packet is empty, longer than kMaxPacketBytes or
// came with more descriptors, RESOURCE_EXHAUSTED when this process can have no
// more descriptors.
absl::StatusOr<Packet> ReceivePacket(int socket_fd, size_t max_descriptors);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_PACKET_H_
