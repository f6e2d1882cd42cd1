// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/mailbox/queue.h"

namespace grpc_shm::bench::mailbox {

const std::vector<QueueKind>& QueueKinds() {
  static const auto* const kinds = new std::vector<QueueKind>{
      MailboxQueues(), MailboxLoanQueues(), BoostQueues(), PosixQueues()};
  return *kinds;
}

}  // namespace grpc_shm::bench::mailbox
