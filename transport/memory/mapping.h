// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MEMORY_MAPPING_H_
#define GRPC_SHM_TRANSPORT_MEMORY_MAPPING_H_

#include <cstddef>
#include <utility>

#include "absl/status/statusor.h"

namespace grpc_shm {

// Owns one range of mapped shared memory, readable and writable, and unmaps it.
// Independent of the descriptor, which may be closed as soon as the mapping
// exists. Move-only; a moved-from or default-constructed object owns nothing.
// Not thread-safe itself; the memory is whatever its users agree upon.
//
// Failures of both factories: INVALID_ARGUMENT for an offset or size that is
// not a multiple of the page size or does not lie within the file,
// RESOURCE_EXHAUSTED when address space or mappings run out, otherwise what
// errno stands for.
class Mapping {
 public:
  // Maps `bytes` bytes of `fd` from `offset`.
  static absl::StatusOr<Mapping> MapShared(int fd, size_t offset, size_t bytes);

  // Maps the same pages twice in a row: data()[i] and data()[bytes + i] are one
  // byte, so that a record that wraps around the end of a ring is contiguous
  // all the same. size() is 2 * bytes.
  static absl::StatusOr<Mapping> MapMirrored(int fd, size_t offset,
                                             size_t bytes);

  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  // First byte, page-aligned; nullptr for none.
  std::byte* data() const { return data_; }
  // Bytes of address space owned.
  size_t size() const { return size_; }

 private:
  Mapping(std::byte* data, size_t size) : data_(data), size_(size) {}

  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MEMORY_MAPPING_H_
