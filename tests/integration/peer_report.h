// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_PEER_REPORT_H_
#define GRPC_SHM_TESTS_INTEGRATION_PEER_REPORT_H_

#include "grpcpp/server_context.h"
#include "tests/integration/echo.pb.h"

namespace grpc_shm {
namespace testing {

// Adds what grpc_shm::PeerIdentity says about the caller.
void ReportPeerIdentity(const grpc::ServerContextBase& context,
                        ContextReport* report);

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_PEER_REPORT_H_
