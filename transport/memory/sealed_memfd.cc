// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/memory/sealed_memfd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

// Newer than Debian 12's C library. From Linux 6.3 on a memfd says whether it
// may be executed, and a hardened system refuses one that does not.
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

namespace grpc_shm {
namespace {

constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
#ifdef F_SEAL_FUTURE_WRITE
constexpr int kReadOnlySeals = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
#else
constexpr int kReadOnlySeals = F_SEAL_WRITE;
#endif

int CreateMemfd(const char* debug_name) {
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const int fd = memfd_create(debug_name, flags | MFD_NOEXEC_SEAL);
  if (fd >= 0 || errno != EINVAL) return fd;
  return memfd_create(debug_name, flags);  // a kernel before 6.3
}

}  // namespace

absl::StatusOr<UniqueFd> CreateSealedMemfd(const char* debug_name,
                                           size_t bytes) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  if (bytes == 0 || bytes % page != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot create a shared memory segment of ", bytes,
        " bytes: the size must be a positive multiple of the page size (", page,
        ")"));
  }
  UniqueFd fd(CreateMemfd(debug_name));
  if (!fd.valid()) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("memfd_create for a shared memory segment of ",
                            bytes, " bytes"));
  }
  // It has no name, but who may look into a process's descriptors finds it
  // there; and the mode that it is made with lets anybody open it.
  if (fchmod(fd.get(), 0600) != 0) {
    return absl::ErrnoToStatus(errno, "chmod of a shared memory segment");
  }
  if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
    return absl::ErrnoToStatus(
        errno,
        absl::StrCat("sizing a shared memory segment to ", bytes, " bytes"));
  }
  // Without reserved pages the first touch of one, much later and in either
  // process, could fail, and a page fault has no way to fail but SIGBUS.
  // Returns the error instead of setting errno.
  int error;
  do {
    error = posix_fallocate(fd.get(), 0, static_cast<off_t>(bytes));
  } while (error == EINTR);
  if (error != 0) {
    return absl::ErrnoToStatus(
        error, absl::StrCat("reserving ", bytes,
                            " bytes for a shared memory segment"));
  }
  if (fcntl(fd.get(), F_ADD_SEALS, kSizeSeals) != 0) {
    return absl::ErrnoToStatus(errno, "sealing a shared memory segment");
  }
  return fd;
}

absl::Status VerifySealedMemfd(int fd, size_t bytes) {
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) {
    return absl::InvalidArgumentError(
        "the shared memory segment received from the peer is not a sealable "
        "memfd");
  }
  if ((seals & kSizeSeals) != kSizeSeals) {
    return absl::FailedPreconditionError(
        "the shared memory segment received from the peer is not sealed "
        "against resizing; not "
        "mapping it");
  }
  if ((seals & kReadOnlySeals) != 0) {
    return absl::FailedPreconditionError(
        "the shared memory segment received from the peer is sealed against "
        "writing");
  }
  // After the seals, since only they make the size final.
  struct stat info;
  if (fstat(fd, &info) != 0) {
    return absl::ErrnoToStatus(
        errno, "fstat of the shared memory segment received from the peer");
  }
  if (info.st_size < 0 || static_cast<size_t>(info.st_size) != bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the shared memory segment received from the peer has ", info.st_size,
        " bytes where ", bytes, " were agreed upon"));
  }
  return absl::OkStatus();
}

}  // namespace grpc_shm
