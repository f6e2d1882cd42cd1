// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/handshake_messages.h"

#include "absl/strings/str_cat.h"
#include "transport/link/address.h"

namespace grpc_shm {

absl::Status VersionMismatch(uint32_t client, uint32_t server) {
  return absl::FailedPreconditionError(
      absl::StrCat("the client speaks version ", client,
                   " of the grpc-shm protocol and the server version ", server,
                   "; build both with the same version of grpc-shm"));
}

absl::Status WithAddress(absl::string_view name, const absl::Status& status) {
  return absl::Status(
      status.code(), absl::StrCat(DirectAddress(name), ": ", status.message()));
}

}  // namespace grpc_shm
