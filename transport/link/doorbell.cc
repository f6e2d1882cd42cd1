// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/doorbell.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace grpc_shm {
namespace {

bool WriteZero(int fd) {
  const uint64_t zero = 0;
  ssize_t written;
  do {
    written = write(fd, &zero, sizeof(zero));
  } while (written < 0 && errno == EINTR);
  // EAGAIN: only an eventfd with an overflown counter says so.
  return written == sizeof(zero) || (written < 0 && errno == EAGAIN);
}

}  // namespace

absl::StatusOr<UniqueFd> CreateDoorbell() {
  UniqueFd fd(eventfd(/*initval=*/1, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "making a doorbell");
  return fd;
}

absl::Status VerifyDoorbell(int fd) {
  // /proc/self/fd would say "anon_inode:[eventfd]", but /proc may be missing in
  // a container. All eventfds share one inode, with a few relatives (epoll,
  // timerfd, signalfd, ...), and of these an eventfd alone takes eight bytes of
  // zeros. What a wrong guess could cost is bounded by the first test: none of
  // that family blocks a writer.
  absl::StatusOr<UniqueFd> own = CreateDoorbell();
  if (!own.ok()) return own.status();
  struct stat expected;
  struct stat actual;
  if (fstat(own->get(), &expected) != 0 || fstat(fd, &actual) != 0) {
    return absl::ErrnoToStatus(errno, "fstat of a doorbell");
  }
  if (expected.st_dev != actual.st_dev || expected.st_ino != actual.st_ino) {
    return absl::InvalidArgumentError("a doorbell must be an eventfd");
  }
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
      !WriteZero(fd)) {
    return absl::InvalidArgumentError("a doorbell must be a writable eventfd");
  }
  return absl::OkStatus();
}

void RingDoorbell(int fd) { WriteZero(fd); }

}  // namespace grpc_shm
