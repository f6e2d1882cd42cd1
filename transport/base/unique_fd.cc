// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/base/unique_fd.h"

#include <unistd.h>

#include <cerrno>

namespace grpc_shm {

void UniqueFd::reset(int fd) {
  const int old = std::exchange(fd_, fd);
  if (old < 0 || old == fd) return;
  const int saved_errno = errno;
  // Linux releases the descriptor even where close() reports an error; closing
  // it again could hit a descriptor that another thread has just been given.
  close(old);
  errno = saved_errno;
}

}  // namespace grpc_shm
