// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/peer_report.h"

#include "absl/status/statusor.h"
#include "transport/peer_identity.h"

namespace grpc_shm {
namespace testing {

void ReportPeerIdentity(const grpc::ServerContextBase& context,
                        ContextReport* report) {
  const absl::StatusOr<PeerIdentity> identity = PeerIdentity::From(context);
  report->set_identity_code(static_cast<int>(identity.status().code()));
  if (!identity.ok()) return;
  report->set_peer_uid(identity->uid);
  report->set_peer_pid(identity->pid);
}

}  // namespace testing
}  // namespace grpc_shm
