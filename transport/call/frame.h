// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_CALL_FRAME_H_
#define GRPC_SHM_TRANSPORT_CALL_FRAME_H_

#include <cstddef>
#include <cstdint>

namespace grpc_shm {

// What the records of a link's rings mean. A frame is one ring record:
// RecordHeader (length, type, flags, call id) and its payload. Calls are
// numbered by the client, 1, 2, 3, ...; a number is never used twice on a link.
//
//   type               sent by   payload
//   kCall              client    wire.CallStart
//   kInitialMetadata   server    wire.InitialMetadata
//   kMessage           both      see below
//   kHalfClose         client    none: no more messages follow
//   kTrailers          server    wire.Trailers; ends the call
//   kCancel            client    none; ends the call
//   kCredit            both      CreditPayload
//   kGoAway            server    wire.GoAway; call id 0
//   kAccept            server    none; see below
//
// Calls that come through a mailbox begin otherwise. The client has offered
// such a call under a number of its own, with all that a kCall has and perhaps
// its only message, to whoever takes it; the server that has claimed it says so
// with kAccept, whose call id is that number. There is no kCall on such a link.
//
// A message is one or more kMessage frames of one call in a row (frames of
// other calls may come between). The first has kMessageBegin, the last
// kMessageEnd. A first frame that is not the last starts with the message's
// whole length in bytes (uint64_t, native order: both sides share one machine),
// so that the receiver can refuse a message that is too large before it stores
// any of it.
enum class FrameType : uint8_t {
  kCall = 1,
  kInitialMetadata = 2,
  kMessage = 3,
  kHalfClose = 4,
  kTrailers = 5,
  kCancel = 6,
  kCredit = 7,
  kGoAway = 8,
  kAccept = 9,
};

inline constexpr uint8_t kMessageBegin = 1;
inline constexpr uint8_t kMessageEnd = 2;

inline constexpr size_t kMessageLengthBytes = sizeof(uint64_t);

// The most of a message that one frame carries: small enough for both sides to
// work at the same time on a large message and for other calls to get in
// between, large enough to make the frame's own cost vanish.
inline constexpr size_t kMaxFragmentBytes = 32 * 1024;

// What a message frame takes from the receiver's window besides its bytes, so
// that empty messages are not free.
inline constexpr uint32_t kFrameCharge = 64;

struct CreditPayload {
  uint32_t bytes;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_CALL_FRAME_H_
