// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_SOCKET_ADDRESS_H_
#define GRPC_SHM_TRANSPORT_LINK_SOCKET_ADDRESS_H_

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string>

namespace grpc_shm {

// The address of a unix socket at `path`, which has to fit (see
// Rendezvous::SocketPath).
inline sockaddr_un SocketAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  return address;
}

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_SOCKET_ADDRESS_H_
