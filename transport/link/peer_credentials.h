// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_PEER_CREDENTIALS_H_
#define GRPC_SHM_TRANSPORT_LINK_PEER_CREDENTIALS_H_

#include <sys/types.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

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

// PERMISSION_DENIED unless the peer runs as this process's effective user.
// `who` names the peer in the message: "the server of shm:greeter".
absl::Status CheckSameUser(const PeerCredentials& peer, absl::string_view who);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_PEER_CREDENTIALS_H_
