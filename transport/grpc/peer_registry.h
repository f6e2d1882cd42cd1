// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_PEER_REGISTRY_H_
#define GRPC_SHM_TRANSPORT_GRPC_PEER_REGISTRY_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "transport/link/peer_credentials.h"

namespace grpc_shm {

// The header field in which a service finds who calls. Its value is a secret
// that stands for a link. Clients can't send the field: it is dropped at the
// link, and not looked at in calls that come another way.
inline constexpr char kPeerIdentityKey[] = "grpc-shm-peer";

// The clients of this process's listeners, by the secrets of their links.
// Threads: any. Never destroyed.
class PeerRegistry {
 public:
  static PeerRegistry& Get();

  // Returns the secret, to be given back to Remove when the link is gone.
  std::string Add(const PeerCredentials& peer);
  void Remove(const std::string& secret);
  absl::optional<PeerCredentials> Find(absl::string_view secret) const;

 private:
  PeerRegistry() = default;

  mutable absl::Mutex mu_;
  absl::flat_hash_map<std::string, PeerCredentials> peers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_PEER_REGISTRY_H_
