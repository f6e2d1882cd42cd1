// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_PEER_CREDENTIALS_H_
#define GRPC_SHM_TRANSPORT_LINK_PEER_CREDENTIALS_H_

#include <sys/types.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "transport/link/peer_policy.h"

namespace grpc_shm {

// Who is at the other end of a unix socket, as the kernel noted it: for a
// server, who connected, at the time of connect(); for a client, who listens,
// at the time of listen(). The peer cannot choose these values. The uid is the
// effective one; a pid from outside our pid namespace is 0.
struct PeerCredentials {
  uid_t uid;
  gid_t gid;
  pid_t pid;
};

// The credentials of the peer of a connected unix socket (SO_PEERCRED).
absl::StatusOr<PeerCredentials> CredentialsOf(int socket_fd);

// The same, if `policy` admits the peer, and PERMISSION_DENIED if not. `who`
// names the peer in the message, "the server" say; `option` what would admit
// it.
absl::StatusOr<PeerCredentials> AdmittedPeer(int socket_fd,
                                             const PeerPolicy& policy,
                                             absl::string_view who,
                                             absl::string_view option);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_PEER_CREDENTIALS_H_
