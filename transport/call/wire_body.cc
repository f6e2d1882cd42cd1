// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/call/wire_body.h"

#include <limits>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace grpc_shm {

absl::optional<WireBody> FindWireBody(absl::Span<const std::byte> first,
                                      size_t total) {
  using google::protobuf::internal::WireFormatLite;
  // Protobuf makes no message of more.
  if (total > size_t{std::numeric_limits<int>::max()}) return absl::nullopt;
  google::protobuf::io::CodedInputStream stream(
      reinterpret_cast<const uint8_t*>(first.data()),
      static_cast<int>(first.size()));
  for (;;) {
    WireBody body;
    body.tag = static_cast<size_t>(stream.CurrentPosition());
    const uint32_t tag = stream.ReadTag();
    if (tag == 0) return absl::nullopt;
    if (WireFormatLite::GetTagWireType(tag) !=
        WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&stream, tag)) return absl::nullopt;
      continue;
    }
    uint32_t size;
    if (!stream.ReadVarint32(&size)) return absl::nullopt;
    if (size < kMinWireBody) {
      if (!stream.Skip(static_cast<int>(size))) return absl::nullopt;
      continue;
    }
    body.field = static_cast<uint32_t>(WireFormatLite::GetTagFieldNumber(tag));
    body.value = static_cast<size_t>(stream.CurrentPosition());
    body.size = size;
    if (body.value > total || body.size > total - body.value ||
        total - body.size > kMostBesideWireBody)
      return absl::nullopt;
    return body;
  }
}

}  // namespace grpc_shm
