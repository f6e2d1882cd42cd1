// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/peer_registry.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/escaping.h"

namespace grpc_shm {

PeerRegistry& PeerRegistry::Get() {
  static PeerRegistry* const registry = new PeerRegistry;
  return *registry;
}

std::string PeerRegistry::Add(const PeerCredentials& peer) {
  char random[16];
  // Up to 256 bytes come at once, or not at all when a signal arrives before
  // the kernel's generator is ready.
  while (getrandom(random, sizeof(random), 0) != sizeof(random)) {
    if (errno != EINTR) std::abort();  // no kernel that has memfd lacks it
  }
  std::string secret =
      absl::BytesToHexString(absl::string_view(random, sizeof(random)));
  absl::MutexLock lock(&mu_);
  peers_.emplace(secret, peer);
  return secret;
}

void PeerRegistry::Remove(const std::string& secret) {
  absl::MutexLock lock(&mu_);
  peers_.erase(secret);
}

absl::optional<PeerCredentials> PeerRegistry::Find(
    absl::string_view secret) const {
  absl::MutexLock lock(&mu_);
  auto it = peers_.find(secret);
  if (it == peers_.end()) return absl::nullopt;
  return it->second;
}

}  // namespace grpc_shm
