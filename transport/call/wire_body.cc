// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/call/wire_body.h"

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace grpc_shm {

absl::optional<WireBody> FindWireBody(absl::Span<const std::byte> first,
                                      size_t total) {
  using google::protobuf::internal::WireFormatLite;
  if (total < kMinWireBody) return absl::nullopt;
  google::protobuf::io::CodedInputStream stream(
      reinterpret_cast<const uint8_t*>(first.data()),
      static_cast<int>(first.size()));
  for (;;) {
    const auto at = static_cast<size_t>(stream.CurrentPosition());
    const uint32_t tag = stream.ReadTag();
    if (tag == 0) return absl::nullopt;
    uint32_t bytes;
    if (WireFormatLite::GetTagWireType(tag) ==
            WireFormatLite::WIRETYPE_LENGTH_DELIMITED &&
        stream.ReadVarint32(&bytes) && bytes >= kMinWireBody) {
    }
  }
}

}  // namespace grpc_shm
