// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_PEER_IDENTITY_H_
#define GRPC_SHM_TRANSPORT_PEER_IDENTITY_H_

#include <grpcpp/server_context.h>
#include <sys/types.h>

#include "absl/status/statusor.h"

namespace grpc_shm {

// Which process makes a call, according to the kernel (SO_PEERCRED): nothing
// that the client says can change it. A handler asks:
//
//   absl::StatusOr<grpc_shm::PeerIdentity> peer =
//   grpc_shm::PeerIdentity::From(*context);
//
// The ids are those that the client had when it connected, in this process's
// user and pid namespaces. A pid says which process connected, not which
// threads or children use the connection, and it can be taken by another
// process once the client is gone.
struct PeerIdentity {
  uid_t uid;
  gid_t gid;
  pid_t pid;

  // NOT_FOUND for a call that did not come through shared memory, and after its
  // link is lost.
  static absl::StatusOr<PeerIdentity> From(
      const grpc::ServerContextBase& context);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_PEER_IDENTITY_H_
