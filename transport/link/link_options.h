// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_LINK_OPTIONS_H_
#define GRPC_SHM_TRANSPORT_LINK_LINK_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "transport/link/peer_policy.h"

namespace grpc_shm {

// The version of everything two processes must agree about: hand-shake, layout
// of the segment, frames and their meaning. Equal or no link.
inline constexpr uint32_t kProtocolVersion = 1;

// What one side wants of its links, and what it lets the other side ask for.
// The client proposes, the server decides within its limits, the client checks
// against its own.
struct LinkOptions {
  // Capacity of each of the two rings, in bytes; rounded up to a power of two
  // and whole pages. Bounds how much one side can be ahead of the other, and,
  // halved, the largest frame. Default 256 KiB, which still fits into a core's
  // second-level cache. Raising it costs twice as much memory per link, taken
  // when the link is made, and the cache hits.
  size_t ring_bytes = size_t{256} << 10;
  // Limits of the above, in bytes. Default 16 KiB to 64 MiB. Raising the
  // maximum lets each client take twice as much memory from this machine.
  size_t min_ring_bytes = size_t{16} << 10;
  size_t max_ring_bytes = size_t{64} << 20;

  // Credit of each call and direction, in bytes: how much of a call's data one
  // side may send before the other side's application has taken it. Default 256
  // KiB. Raising it costs as much private memory for every call whose reader
  // stalls.
  uint32_t window_bytes = uint32_t{256} << 10;
  // Limits of the above, in bytes. Default 4 KiB to 64 MiB. Raising the maximum
  // lets each peer make this process buffer as much per call.
  uint32_t min_window_bytes = uint32_t{4} << 10;
  uint32_t max_window_bytes = uint32_t{64} << 20;

  // Who else may be at the other end. In a client only its uids count.
  PeerPolicy peers;
  // Where names are: see RendezvousOptions.
  std::string directory;

  // For tests of what two versions say to each other.
  uint32_t protocol_version = kProtocolVersion;
};

// What a server grants to a client that wants `wanted` bytes (0: whatever the
// server wants itself), within the limits of `options` and of the system. Works
// for any values.
size_t GrantedRingBytes(const LinkOptions& options, uint64_t wanted);
uint32_t GrantedWindowBytes(const LinkOptions& options, uint32_t wanted);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_LINK_OPTIONS_H_
