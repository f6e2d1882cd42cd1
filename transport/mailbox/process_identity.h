// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_PROCESS_IDENTITY_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_PROCESS_IDENTITY_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "transport/base/unique_fd.h"

namespace grpc_shm {

// Which process somebody is, beyond its pid, which is used again: pid and start
// time, as /proc tells it. Means something within one pid namespace and time
// namespace alone. A value; compared as a whole.
struct ProcessIdentity {
  uint32_t pid = 0;
  uint32_t start = 0;  // clock ticks, the low bits (words.h)

  // This process's. FAILED_PRECONDITION without /proc.
  static absl::StatusOr<ProcessIdentity> OfThisProcess();

  friend bool operator==(ProcessIdentity a, ProcessIdentity b) {
    return a.pid == b.pid && a.start == b.start;
  }
  friend bool operator<(ProcessIdentity a, ProcessIdentity b) {
    return a.pid != b.pid ? a.pid < b.pid : a.start < b.start;
  }
};

// The namespaces that give a ProcessIdentity its meaning: inodes.
struct ProcessNamespaces {
  uint64_t pid = 0;
  uint64_t time = 0;

  static absl::StatusOr<ProcessNamespaces> OfThisProcess();
};

// A descriptor that becomes readable when the process has ended (pidfd), and
// for good. NOT_FOUND: it has ended already. RESOURCE_EXHAUSTED: no
// descriptors.
absl::StatusOr<UniqueFd> OpenProcess(ProcessIdentity identity);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_PROCESS_IDENTITY_H_
