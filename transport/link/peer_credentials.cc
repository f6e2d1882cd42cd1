// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/peer_credentials.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"

namespace grpc_shm {
namespace {

// The supplementary groups of the peer of a connected unix socket.
absl::StatusOr<std::vector<gid_t>> GroupsOf(int socket_fd) {
  std::vector<gid_t> groups(64);
  for (;;) {
    socklen_t bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int error = getsockopt(socket_fd, SOL_SOCKET, SO_PEERGROUPS,
                                 groups.data(), &bytes) == 0
                          ? 0
                          : errno;
    // With ERANGE the kernel says how much it wants, which never changes.
    if (error != 0 && error != ERANGE) {
      return absl::ErrnoToStatus(
          error, "asking for the peer's groups (SO_PEERGROUPS)");
    }
    groups.resize(bytes / sizeof(gid_t));
    if (error == 0) return groups;
  }
}

template <typename Id>
bool Contains(const std::vector<Id>& ids, Id id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

absl::StatusOr<PeerCredentials> CredentialsOf(int socket_fd) {
  struct ucred peer;
  socklen_t bytes = sizeof(peer);
  if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) {
    return absl::ErrnoToStatus(errno, "asking who the peer is (SO_PEERCRED)");
  }
  return PeerCredentials{peer.uid, peer.gid, peer.pid};
}

absl::StatusOr<PeerCredentials> AdmittedPeer(int socket_fd,
                                             const PeerPolicy& policy,
                                             absl::string_view who,
                                             absl::string_view option) {
  absl::StatusOr<PeerCredentials> peer = CredentialsOf(socket_fd);
  if (!peer.ok()) return peer;
  if (peer->uid == geteuid() || Contains(policy.uids, peer->uid) ||
      Contains(policy.gids, peer->gid)) {
    return peer;
  }
  if (!policy.gids.empty()) {
    absl::StatusOr<std::vector<gid_t>> groups = GroupsOf(socket_fd);
    if (!groups.ok()) return groups.status();
    for (gid_t group : *groups) {
      if (Contains(policy.gids, group)) return peer;
    }
  }
  return absl::PermissionDeniedError(absl::StrCat(
      who, " (pid ", peer->pid, ") runs as uid ", peer->uid, ", gid ",
      peer->gid, ", whom this process, of uid ", geteuid(),
      ", does not admit; run both as the same user, or name the other one in ",
      option));
}

}  // namespace grpc_shm
