// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_SEGMENT_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_SEGMENT_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "transport/base/unique_fd.h"
#include "transport/mailbox/geometry.h"
#include "transport/mailbox/mailbox_directory.h"
#include "transport/mailbox/mailbox_layout.h"
#include "transport/memory/mapping.h"

namespace grpc_shm {

// A mailbox's segment, mapped: where everything in it is. Knows nothing of what
// happens there.
//
// Move-only; the memory is whatever its users agree upon.
class MailboxSegment {
 public:
  // Makes the segment of `name`, which appears complete or not at all. `mode`
  // is 0600 or 0660. ALREADY_EXISTS; RESOURCE_EXHAUSTED when memory can't be
  // reserved or mapped.
  static absl::StatusOr<MailboxSegment> Create(
      const MailboxDirectory& directory, absl::string_view name,
      const MailboxGeometry& geometry, mode_t mode);

  // NOT_FOUND, PERMISSION_DENIED (not the directory's owner's, or others may
  // use it), FAILED_PRECONDITION (see MailboxGeometry), RESOURCE_EXHAUSTED.
  static absl::StatusOr<MailboxSegment> Open(const MailboxDirectory& directory,
                                             absl::string_view name);

  // Takes the name away, and if it is a mailbox's, says in it that it is
  // destroyed and wakes all.
  static absl::Status Destroy(const MailboxDirectory& directory,
                              absl::string_view name);

  int fd() const { return fd_.get(); }
  const MailboxGeometry& geometry() const { return geometry_; }
  MailboxControl* control() const { return At<MailboxControl>(0); }
  std::atomic<uint64_t>* message_cells() const {
    return At<std::atomic<uint64_t>>(geometry_.message_cells);
  }
  std::atomic<uint64_t>* free_cells() const {
    return At<std::atomic<uint64_t>>(geometry_.free_cells);
  }
  std::atomic<uint64_t>* bare_cells() const {
    return At<std::atomic<uint64_t>>(geometry_.bare_cells);
  }
  BlockEntry* entries() const { return At<BlockEntry>(geometry_.entries); }
  char* block(uint32_t index) const {
    return At<char>(geometry_.data + index * geometry_.block_stride);
  }

 private:
  MailboxSegment(UniqueFd fd, Mapping mapping, const MailboxGeometry& geometry)
      : fd_(std::move(fd)), mapping_(std::move(mapping)), geometry_(geometry) {}

  template <class T>
  T* At(size_t offset) const {
    return reinterpret_cast<T*>(mapping_.data() + offset);
  }

  UniqueFd fd_;
  Mapping mapping_;
  MailboxGeometry geometry_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_SEGMENT_H_
