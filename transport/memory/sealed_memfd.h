// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MEMORY_SEALED_MEMFD_H_
#define GRPC_SHM_TRANSPORT_MEMORY_SEALED_MEMFD_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "transport/base/unique_fd.h"

namespace grpc_shm {

// Anonymous shared memory whose size nobody can change any more. It has no name
// in any file system and disappears with its last descriptor and mapping, so a
// killed process leaks nothing. The seals make it safe to map memory that a
// stranger made: without F_SEAL_SHRINK the other process could truncate it and
// every access here would raise SIGBUS.

// Creates a memfd of exactly `bytes` bytes (a multiple of the page size), all
// zero, with every page reserved, sealed with F_SEAL_SHRINK | F_SEAL_GROW |
// F_SEAL_SEAL and closed on exec. `debug_name` is what /proc/PID/maps shows.
//
// Fails with RESOURCE_EXHAUSTED when memory or descriptors run out,
// INVALID_ARGUMENT for a bad size.
absl::StatusOr<UniqueFd> CreateSealedMemfd(const char* debug_name,
                                           size_t bytes);

// Checks, before anything is mapped, that `fd` (received from another process)
// is a memfd of exactly `bytes` bytes whose size is sealed for good and that
// may be written to.
//
// Fails with INVALID_ARGUMENT when it is not a memfd or has another size,
// FAILED_PRECONDITION when seals are missing or forbid writing.
absl::Status VerifySealedMemfd(int fd, size_t bytes);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MEMORY_SEALED_MEMFD_H_
