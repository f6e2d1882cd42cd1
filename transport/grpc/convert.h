// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_CONVERT_H_
#define GRPC_SHM_TRANSPORT_GRPC_CONVERT_H_

#include <grpc/grpc.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "proto/wire.pb.h"
#include "transport/call/message.h"
#include "transport/link/spinner.h"

namespace grpc_shm {

// Between gRPC's C types and what links carry.

// Header fields whose names start so are ours: they never cross a link in
// either direction as a user's.
inline constexpr absl::string_view kReservedKeyPrefix = "grpc-shm-";

// What a client of a unix socket calls its server, unless told otherwise.
inline constexpr absl::string_view kDefaultAuthority = "localhost";

// gRPC's limit for messages received, in bytes, where none is set.
inline constexpr int kDefaultMaxReceiveBytes = 4 * 1024 * 1024;

// From now to a deadline; infinite if there is none.
absl::Duration TimeLeft(gpr_timespec deadline);

// A value that is none counts as the nearest that is one.
SpinPolicy ToSpinPolicy(int64_t wait_policy);

// Takes the buffer, which must not be compressed (in-process calls never are).
OutgoingMessage ToOutgoing(grpc_byte_buffer* buffer);

// A buffer around the received block: nothing is copied.
grpc_byte_buffer* ToByteBuffer(ReceivedMessage message);

// Appends what may cross the link of `from` to `to`.
void ToWire(const grpc_metadata_array& from,
            google::protobuf::RepeatedPtrField<wire::Metadatum>* to);
void ToWire(const std::multimap<std::string, std::string>& from,
            google::protobuf::RepeatedPtrField<wire::Metadatum>* to);

// Whether a header field from a link is one that an application may see. What a
// peer sent is not trusted to be legal.
bool IsUserMetadata(const std::string& key, const std::string& value);

// The trailing header field in which gRPC carries Status::error_details.
inline constexpr absl::string_view kBinaryErrorDetailsKey =
    "grpc-status-details-bin";

inline absl::string_view View(const grpc_slice& slice) {
  return absl::string_view(
      reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)),
      GRPC_SLICE_LENGTH(slice));
}

inline grpc_slice ToSlice(absl::string_view text) {
  return grpc_slice_from_copied_buffer(text.data(), text.size());
}

// Metadata in the form that gRPC's operations take; owns its slices, which must
// outlive the operation.
class MetadataSlices {
 public:
  MetadataSlices() = default;
  MetadataSlices(const MetadataSlices&) = delete;
  MetadataSlices& operator=(const MetadataSlices&) = delete;
  ~MetadataSlices() { Clear(); }

  // Replaces the contents. Fields that gRPC would not accept are left out: what
  // a peer sent is not trusted to be legal.
  void Assign(const google::protobuf::RepeatedPtrField<wire::Metadatum>& from);
  void Append(absl::string_view key, absl::string_view value);
  void Clear();

  grpc_metadata* data() { return entries_.data(); }
  size_t size() const { return entries_.size(); }

 private:
  std::vector<grpc_metadata> entries_;
};

// How a call ends whose method has one answer, and whose server sent another:
// gRPC's doc/statuscodes.md. (Over HTTP/2, gRPC 1.51 waits for the deadline.)
absl::Status MoreThanOneAnswer();

// A status code from a peer: anything unknown is UNKNOWN, as in gRPC.
grpc_status_code ToStatusCode(int code);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_CONVERT_H_
