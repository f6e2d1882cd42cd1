// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_DESCRIBE_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_DESCRIBE_H_

#include <string>

#include "transport/mailbox.h"
#include "transport/mailbox/mailbox_parts.h"

namespace grpc_shm {

// A look at a mailbox, by anybody who has it mapped. Looks at every block.
MailboxInfo Describe(const MailboxParts& parts, const std::string& name);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_DESCRIBE_H_
