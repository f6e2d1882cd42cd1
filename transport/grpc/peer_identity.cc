// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/peer_identity.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "transport/grpc/peer_registry.h"

namespace grpc_shm {

absl::StatusOr<PeerIdentity> PeerIdentity::From(
    const grpc::ServerContextBase& context) {
  // What comes over a socket carries only what its sender made up, or has seen
  // somewhere. gRPC names such a peer by scheme and address ("unix:...",
  // "ipv4:..."); an in-process one it calls "unknown" (1.51).
  const bool from_a_socket = absl::StrContains(context.peer(), ':');
  const auto [begin, end] =
      context.client_metadata().equal_range(kPeerIdentityKey);
  for (auto it = begin; !from_a_socket && it != end; ++it) {
    const absl::optional<PeerCredentials> peer = PeerRegistry::Get().Find(
        absl::string_view(it->second.data(), it->second.size()));
    if (peer.has_value()) return PeerIdentity{peer->uid, peer->gid, peer->pid};
  }
  return absl::NotFoundError(
      "the call did not come over a grpc-shm link, or the link is gone");
}

}  // namespace grpc_shm
