// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_UNIT_CALL_LINK_PAIR_H_
#define GRPC_SHM_TESTS_UNIT_CALL_LINK_PAIR_H_

#include <memory>
#include <string>

#include "transport/link/link.h"
#include "transport/link/link_options.h"

namespace grpc_shm {

// Both ends of a link within this process.
struct LinkPair {
  std::unique_ptr<Link> client;
  std::unique_ptr<Link> server;
};

// Shakes hands over a name in a rendezvous directory of the test's own.
LinkPair MakeLinkPair(const LinkOptions& options = LinkOptions());

}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_UNIT_CALL_LINK_PAIR_H_
