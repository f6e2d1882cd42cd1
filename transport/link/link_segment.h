// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_LINK_SEGMENT_H_
#define GRPC_SHM_TRANSPORT_LINK_LINK_SEGMENT_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "transport/base/unique_fd.h"
#include "transport/link/link_layout.h"
#include "transport/memory/mapping.h"

namespace grpc_shm {

// A link's segment as one process has it mapped (link_layout.h says what is in
// it). Owns the mappings alone, 1 page + 4 * ring_bytes of address space: the
// descriptor may be closed once this exists. The memory is freed when both
// processes have unmapped it, however they end. Move-only.
class LinkSegment {
 public:
  // The server's side: makes a new segment, ready for use, and maps it.
  // `*memfd` is the descriptor to pass to the client. IsValidRingCapacity and
  // a multiple of the page size. RESOURCE_EXHAUSTED without memory, address
  // space or descriptors.
  static absl::StatusOr<LinkSegment> Create(size_t ring_bytes, UniqueFd* memfd);

  // The client's side: verifies what a server passed, and maps it. Believes
  // nothing: neither the two sizes in the Welcome, nor the descriptor, nor the
  // header. INVALID_ARGUMENT or FAILED_PRECONDITION when something is wrong,
  // RESOURCE_EXHAUSTED without address space.
  static absl::StatusOr<LinkSegment> Open(int memfd, uint64_t header_bytes,
                                          uint64_t ring_bytes);

  size_t header_bytes() const { return header_.size(); }
  size_t ring_bytes() const { return ring_bytes_; }
  RingControl* client_to_server() const { return &control()->client_to_server; }
  RingControl* server_to_client() const { return &control()->server_to_client; }
  // The data of each ring, mapped twice in a row.
  std::byte* client_to_server_data() const {
    return client_to_server_data_.data();
  }
  std::byte* server_to_client_data() const {
    return server_to_client_data_.data();
  }

 private:
  LinkSegment() = default;
  static absl::StatusOr<LinkSegment> Map(int memfd, size_t header_bytes,
                                         size_t ring_bytes);
  absl::Status CheckHeader() const;
  LinkControl* control() const;

  size_t ring_bytes_ = 0;
  Mapping header_;
  Mapping client_to_server_data_;
  Mapping server_to_client_data_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_LINK_SEGMENT_H_
