// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_CALL_METADATA_CHARGE_H_
#define GRPC_SHM_TRANSPORT_CALL_METADATA_CHARGE_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "proto/wire.pb.h"

namespace grpc_shm {

// What HTTP/2 counts for a header field besides its bytes (RFC 9113, section
// 6.5.2). Here it stands for the memory that an empty one takes, which is many
// times what it takes in a frame.
inline constexpr size_t kMetadatumCharge = 32;

// What the metadata in a frame's payload, a serialized `Message`, will count
// once it is parsed, in bytes: a field's key and value, and kMetadatumCharge.
// Fields that are not in wire.proto count as well, since they are kept, too.
// Reads the payload once, until it has counted `enough`, and takes no memory.
// What can't be parsed counts as far as it can be read.
template <typename Message>
size_t MetadataCharge(absl::string_view payload, size_t enough = SIZE_MAX);

extern template size_t MetadataCharge<wire::CallStart>(absl::string_view,
                                                       size_t);
extern template size_t MetadataCharge<wire::InitialMetadata>(absl::string_view,
                                                             size_t);
extern template size_t MetadataCharge<wire::Trailers>(absl::string_view,
                                                      size_t);
extern template size_t MetadataCharge<wire::GoAway>(absl::string_view, size_t);

// The most that a payload of that size can count: two bytes make a field.
constexpr size_t MostMetadataCharge(size_t payload_bytes) {
  return payload_bytes + payload_bytes / 2 * kMetadatumCharge;
}

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_CALL_METADATA_CHARGE_H_
