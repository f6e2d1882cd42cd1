// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_PEER_POLICY_H_
#define GRPC_SHM_TRANSPORT_LINK_PEER_POLICY_H_

#include <sys/types.h>

#include <vector>

namespace grpc_shm {

// Who may be at the other end of a link: always a process with this process's
// own effective uid, and those named here. By default nobody else.
//
// The kernel says who a process is, as of its connect() or listen(). Ids are
// those of this process's user namespace; in one that does not map all of them,
// everybody unmapped has the overflow uid (65534, "nobody"), which is therefore
// better not named.
struct PeerPolicy {
  // Admits processes with one of these effective uids.
  std::vector<uid_t> uids;
  // Admits processes that have one of these as effective or supplementary gid.
  std::vector<gid_t> gids;

  bool admits_others() const { return !uids.empty() || !gids.empty(); }
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_PEER_POLICY_H_
