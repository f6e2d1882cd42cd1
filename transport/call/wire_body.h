// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_CALL_WIRE_BODY_H_
#define GRPC_SHM_TRANSPORT_CALL_WIRE_BODY_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/optional.h"
#include "absl/types/span.h"

namespace grpc_shm {

// A field of a message, if it is one in protobuf's wire format, that has a
// length and is nearly all of the message. Offsets are in bytes from the
// message's beginning.
struct WireBody {
  uint32_t field = 0;  // its number
  size_t tag = 0;      // where the field begins
  size_t value = 0;    // where its value begins
  size_t size = 0;     // of its value
};

// Values of fewer bytes are not looked for; nor those with more than so many
// bytes of other fields.
inline constexpr size_t kMinWireBody = size_t{64} << 10;
inline constexpr size_t kMostBesideWireBody = 1024;

// How many bytes of a message it is that FindWireBody needs.
inline constexpr size_t kWireBodyWithin = 256;

// Looks for such a field in a message of `total` bytes that begins with
// `first`. Whether the message is one of protobuf's at all is for the caller to
// know: what is found lies within it in any case.
absl::optional<WireBody> FindWireBody(absl::Span<const std::byte> first,
                                      size_t total);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_CALL_WIRE_BODY_H_
