// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/peer_credentials.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace grpc_shm {

absl::StatusOr<PeerCredentials> CredentialsOf(int socket_fd) {
  struct ucred peer;
  socklen_t bytes = sizeof(peer);
  if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) {
    return absl::ErrnoToStatus(errno, "asking who the peer is (SO_PEERCRED)");
  }
  return PeerCredentials{peer.uid, peer.gid, peer.pid};
}

absl::Status CheckSameUser(const PeerCredentials& peer, absl::string_view who) {
  if (peer.uid == geteuid()) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      who, " (pid ", peer.pid, ") runs as uid ", peer.uid,
      " and this process as uid ", geteuid(),
      "; a link joins processes of one user only, so run both as the same"));
}

}  // namespace grpc_shm
