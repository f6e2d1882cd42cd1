// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_UNIT_LINK_SOCKET_PAIR_H_
#define GRPC_SHM_TESTS_UNIT_LINK_SOCKET_PAIR_H_

#include <sys/socket.h>

#include <cstdlib>

#include "transport/base/unique_fd.h"

namespace grpc_shm::testing {

// Two ends of a control socket, without a name.
struct SocketPair {
  SocketPair() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
      std::abort();
    }
    ours = UniqueFd(ends[0]);
    peer = UniqueFd(ends[1]);
  }

  UniqueFd ours;
  UniqueFd peer;
};

}  // namespace grpc_shm::testing

#endif  // GRPC_SHM_TESTS_UNIT_LINK_SOCKET_PAIR_H_
