// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/link_segment.h"

#include <unistd.h>

#include <new>

#include "absl/strings/str_cat.h"
#include "transport/memory/sealed_memfd.h"

namespace grpc_shm {
namespace {

size_t PageSize() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

absl::StatusOr<LinkSegment> LinkSegment::Create(size_t ring_bytes,
                                                UniqueFd* memfd) {
  const size_t header_bytes = PageSize();
  const size_t segment_bytes = SegmentBytes(header_bytes, ring_bytes);
  absl::StatusOr<UniqueFd> fd =
      CreateSealedMemfd("grpc-shm-link", segment_bytes);
  if (!fd.ok()) return fd.status();
  absl::StatusOr<LinkSegment> segment =
      Map(fd->get(), header_bytes, ring_bytes);
  if (!segment.ok()) return segment.status();
  LinkHeader& header = (new (segment->header_.data()) LinkControl)->header;
  // Relaxed: the release store below publishes them.
  header.version.store(kLinkLayoutVersion, std::memory_order_relaxed);
  header.header_bytes.store(static_cast<uint32_t>(header_bytes),
                            std::memory_order_relaxed);
  header.ring_bytes.store(ring_bytes, std::memory_order_relaxed);
  header.segment_bytes.store(segment_bytes, std::memory_order_relaxed);
  // Paired with the acquire load in CheckHeader.
  header.magic.store(kLinkMagic, std::memory_order_release);
  *memfd = *std::move(fd);
  return segment;
}

absl::StatusOr<LinkSegment> LinkSegment::Open(int memfd, uint64_t header_bytes,
                                              uint64_t ring_bytes) {
  if (header_bytes != PageSize()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the segment's header has ", header_bytes,
                     " bytes and not one page (", PageSize(), ")"));
  }
  if (!IsValidRingCapacity(ring_bytes) || ring_bytes % PageSize() != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a ring cannot have ", ring_bytes, " bytes"));
  }
  absl::Status status =
      VerifySealedMemfd(memfd, SegmentBytes(header_bytes, ring_bytes));
  if (!status.ok()) return status;
  absl::StatusOr<LinkSegment> segment = Map(memfd, header_bytes, ring_bytes);
  if (!segment.ok()) return segment.status();
  status = segment->CheckHeader();
  if (!status.ok()) return status;
  return segment;
}

absl::StatusOr<LinkSegment> LinkSegment::Map(int memfd, size_t header_bytes,
                                             size_t ring_bytes) {
  LinkSegment segment;
  segment.ring_bytes_ = ring_bytes;
  absl::StatusOr<Mapping> mapping = Mapping::MapShared(memfd, 0, header_bytes);
  if (!mapping.ok()) return mapping.status();
  segment.header_ = *std::move(mapping);
  mapping = Mapping::MapMirrored(memfd, ClientToServerDataOffset(header_bytes),
                                 ring_bytes);
  if (!mapping.ok()) return mapping.status();
  segment.client_to_server_data_ = *std::move(mapping);
  mapping = Mapping::MapMirrored(
      memfd, ServerToClientDataOffset(header_bytes, ring_bytes), ring_bytes);
  if (!mapping.ok()) return mapping.status();
  segment.server_to_client_data_ = *std::move(mapping);
  return segment;
}

absl::Status LinkSegment::CheckHeader() const {
  const LinkHeader& header = control()->header;
  // Paired with the release store in Create.
  const uint64_t magic = header.magic.load(std::memory_order_acquire);
  if (magic != kLinkMagic) {
    return absl::InvalidArgumentError(
        "the shared memory segment is not that of a link");
  }
  // Relaxed: constant since the store of magic. Each is loaded once; were it
  // changed after that, nobody would notice.
  const uint32_t version = header.version.load(std::memory_order_relaxed);
  if (version != kLinkLayoutVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("the shared memory segment has layout version ", version,
                     " and this process knows version ", kLinkLayoutVersion,
                     "; build both sides with the same version of grpc-shm"));
  }
  const size_t header_bytes = header_.size();
  if (header.header_bytes.load(std::memory_order_relaxed) != header_bytes ||
      header.ring_bytes.load(std::memory_order_relaxed) != ring_bytes_ ||
      header.segment_bytes.load(std::memory_order_relaxed) !=
          SegmentBytes(header_bytes, ring_bytes_)) {
    return absl::InvalidArgumentError(
        "the sizes in the shared memory segment are not those agreed upon");
  }
  return absl::OkStatus();
}

LinkControl* LinkSegment::control() const {
  return std::launder(reinterpret_cast<LinkControl*>(header_.data()));
}

}  // namespace grpc_shm
