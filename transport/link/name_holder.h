// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_NAME_HOLDER_H_
#define GRPC_SHM_TRANSPORT_LINK_NAME_HOLDER_H_

#include <string>

#include "absl/status/statusor.h"
#include "transport/link/peer_credentials.h"

namespace grpc_shm {

// Which process listens at a direct address, as the kernel noted when it did
// listen(2); `name` is a valid NAME (see address.h). Connects and hangs up,
// which a server takes for a client that changed its mind. Never waits.
//
// Fails with UNAVAILABLE when nobody listens, or too many clients wait; as
// Rendezvous::Open() does; RESOURCE_EXHAUSTED without descriptors. Any thread.
absl::StatusOr<PeerCredentials> NameHolder(const std::string& name);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_NAME_HOLDER_H_
