// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_EXAMPLES_PRODUCER_CONSUMER_BUFFER_H_
#define GRPC_SHM_EXAMPLES_PRODUCER_CONSUMER_BUFFER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "transport/mailbox.h"

// The bounded buffer between producers and consumers: a mailbox for three
// messages. Whoever comes first makes it.
inline absl::StatusOr<std::unique_ptr<grpc_shm::Mailbox>> OpenBuffer(
    const std::string& address) {
  grpc_shm::MailboxOptions options;
  options.capacity = grpc_shm::MailboxCapacity::Bounded(3);
  options.max_message_bytes = 100;
  auto created = grpc_shm::Mailbox::Create(address, options);
  if (!absl::IsAlreadyExists(created.status())) return created;
  return grpc_shm::Mailbox::Open(address);
}

#endif  // GRPC_SHM_EXAMPLES_PRODUCER_CONSUMER_BUFFER_H_
