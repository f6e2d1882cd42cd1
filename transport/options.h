// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_OPTIONS_H_
#define GRPC_SHM_TRANSPORT_OPTIONS_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace grpc_shm {

// Channel arguments that CreateChannel understands besides gRPC's own, all
// integers; set them with grpc::ChannelArguments::SetInt. A value out of range
// counts as the nearest that is in it.
//
// Of gRPC's own arguments these matter to a channel through shared memory: the
// message size limits (with gRPC's defaults). Those about name resolution, load
// balancing, retries, sockets and HTTP/2 have nothing to act upon.

// Capacity of each of a link's two rings, in bytes. A larger ring lets one side
// run further ahead of the other and takes larger metadata: half of it is the
// limit for a call's metadata in each direction. Costs twice its size in memory
// for each link. Default 256 KiB; the server may grant less.
inline constexpr char kRingBytesArg[] = "grpc_shm.ring_bytes";

// What one side of a call may send before the other side's application has
// taken it, in bytes. Costs up to as much memory for each stalled call. Default
// 256 KiB; the server may grant less.
inline constexpr char kWindowBytesArg[] = "grpc_shm.window_bytes";

// How long a server may take to answer the hand-shake, in milliseconds, before
// the attempt counts as failed. A longer time lets calls wait for a server that
// is stopped; a shorter one makes them fail. Default 20,000, as gRPC's.
inline constexpr char kHandshakeTimeoutMsArg[] =
    "grpc_shm.handshake_timeout_ms";

// The longest pause between attempts to reach a server, in milliseconds. A
// server that starts is noticed at once all the same; the timer is a safety
// net. Default 30,000.
inline constexpr char kMaxReconnectBackoffMsArg[] =
    "grpc_shm.max_reconnect_backoff_ms";

// What a server allows its clients at one address.
struct ListenerOptions {
  // Capacity of each of a link's two rings, in bytes, for clients that ask for
  // nothing else, and the most they may ask for. A link costs this process
  // twice the capacity, taken when it is made.
  size_t ring_bytes = size_t{256} << 10;
  size_t max_ring_bytes = size_t{64} << 20;

  // The same for the window of each call and direction, in bytes. A call whose
  // handler does not read costs as much.
  uint32_t window_bytes = uint32_t{256} << 10;
  uint32_t max_window_bytes = uint32_t{64} << 20;

  // Links at one time, with those whose hand-shake is under way. One more is
  // refused with RESOURCE_EXHAUSTED. A link costs memory (see above) and three
  // descriptors in each process.
  size_t max_links = 4096;

  // Calls open at one time on one link. One more is refused with
  // RESOURCE_EXHAUSTED.
  size_t max_calls_per_link = 100000;

  // How long a client that has connected may take to say what it wants, before
  // it is dropped.
  absl::Duration handshake_timeout = absl::Seconds(5);

  // The largest message, in bytes, that is put together for a handler; -1: any.
  // A larger one fails its call with RESOURCE_EXHAUSTED before it costs memory.
  // ServerBuilder fills this in from SetMaxReceiveMessageSize; a server that is
  // attached to enforces its own limit in any case, but only once the message
  // is there.
  int64_t max_receive_message_bytes = -1;

  // Clients that may wait to be accepted, as in listen(2).
  int backlog = 1024;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_OPTIONS_H_
