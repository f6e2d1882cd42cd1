// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_ADDRESS_H_
#define GRPC_SHM_TRANSPORT_LINK_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace grpc_shm {

// A direct address, "shm:NAME", names one server process of one user on this
// machine; a mailbox address, "mailbox:NAME", a queue that any number of
// processes share. NAME has 1 to kMaxNameBytes characters of [A-Za-z0-9._-] and
// does not start with a dot, so that it is always one plain file name.
//
// These are pure functions: any thread may call them.

inline constexpr size_t kMaxNameBytes = 64;

// Whether `target` is written as a direct address, well-formed or not. Every
// other target belongs to gRPC.
bool IsDirectTarget(absl::string_view target);

// The NAME of a direct address. INVALID_ARGUMENT, saying what is allowed, for
// anything that is not one.
absl::StatusOr<std::string> ParseDirectAddress(absl::string_view target);

// "shm:NAME", as messages to people write it.
std::string DirectAddress(absl::string_view name);

// The same for mailbox addresses.
bool IsMailboxTarget(absl::string_view target);
absl::StatusOr<std::string> ParseMailboxAddress(absl::string_view target);
std::string MailboxAddress(absl::string_view name);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_ADDRESS_H_
