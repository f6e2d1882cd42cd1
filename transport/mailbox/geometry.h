// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_GEOMETRY_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_GEOMETRY_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "transport/mailbox.h"
#include "transport/mailbox/mailbox_layout.h"

namespace grpc_shm {

// Where what is in a mailbox's segment, in bytes. Follows from the options that
// a mailbox is made with, and from its header; a value.
struct MailboxGeometry {
  // INVALID_ARGUMENT, saying what is allowed: options out of range, or a
  // segment larger than any address space.
  static absl::StatusOr<MailboxGeometry> Of(MailboxCapacity capacity,
                                            uint64_t max_message_bytes,
                                            uint64_t max_memory_bytes);

  // Of a segment of `file_bytes` bytes with this header, each of whose fields
  // is looked at once. FAILED_PRECONDITION, saying why: not a mailbox, not of
  // this version, or sizes that do not fit together.
  static absl::StatusOr<MailboxGeometry> Of(const MailboxHeader& header,
                                            uint64_t file_bytes);

  bool rendezvous() const {
    return capacity.kind == MailboxCapacity::Kind::kRendezvous;
  }
  bool unbounded() const {
    return capacity.kind == MailboxCapacity::Kind::kUnbounded;
  }

  MailboxCapacity capacity;
  uint64_t max_message_bytes;
  uint64_t max_memory_bytes;  // 0 unless unbounded

  uint32_t blocks;
  size_t cells;  // of each queue; a power of two, more than blocks
  uint64_t block_stride;

  size_t message_cells;
  size_t free_cells;
  size_t bare_cells;  // 0 unless unbounded
  size_t entries;
  size_t data;
  size_t segment_bytes;
};

// Pages that memory is reserved in.
inline constexpr uint64_t kMailboxPageBytes = 4096;

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_GEOMETRY_H_
