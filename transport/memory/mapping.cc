// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/memory/mapping.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace grpc_shm {
namespace {

// Touching a mapped page beyond the end of the file raises SIGBUS, so such a
// mapping is refused.
absl::Status CheckRange(int fd, size_t offset, size_t bytes) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  if (bytes == 0 || bytes % page != 0 || offset % page != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot map ", bytes, " bytes from offset ", offset,
                     ": both must be multiples of the page size (", page, ")"));
  }
  struct stat info;
  if (fstat(fd, &info) != 0) {
    return absl::ErrnoToStatus(errno, "fstat of a shared memory segment");
  }
  const size_t file_bytes = static_cast<size_t>(info.st_size);
  if (offset > file_bytes || bytes > file_bytes - offset) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot map ", bytes, " bytes from offset ", offset,
                     " of a shared memory segment of ", file_bytes, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status MapError(int error, size_t bytes) {
  return absl::ErrnoToStatus(
      error, absl::StrCat("mapping ", bytes, " bytes of shared memory"));
}

}  // namespace

absl::StatusOr<Mapping> Mapping::MapShared(int fd, size_t offset,
                                           size_t bytes) {
  absl::Status range = CheckRange(fd, offset, bytes);
  if (!range.ok()) return range;
  void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                       static_cast<off_t>(offset));
  if (address == MAP_FAILED) return MapError(errno, bytes);
  return Mapping(static_cast<std::byte*>(address), bytes);
}

absl::StatusOr<Mapping> Mapping::MapMirrored(int fd, size_t offset,
                                             size_t bytes) {
  absl::Status range = CheckRange(fd, offset, bytes);
  if (!range.ok()) return range;
  if (bytes > std::numeric_limits<size_t>::max() / 2)
    return MapError(ENOMEM, bytes);
  // Takes the address range first, so that no other thread's mapping can land
  // between the halves; the two MAP_FIXED calls then replace it. The owner
  // exists from the start: it unmaps whatever is there when a later step fails.
  void* address = mmap(nullptr, 2 * bytes, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                       /*fd=*/-1, 0);
  if (address == MAP_FAILED) return MapError(errno, 2 * bytes);
  Mapping mapping(static_cast<std::byte*>(address), 2 * bytes);
  for (std::byte* half : {mapping.data(), mapping.data() + bytes}) {
    if (mmap(half, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
             static_cast<off_t>(offset)) == MAP_FAILED) {
      return MapError(errno, bytes);
    }
  }
  return mapping;
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  Mapping taken(std::move(other));
  std::swap(data_, taken.data_);
  std::swap(size_, taken.size_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) munmap(data_, size_);
}

}  // namespace grpc_shm
