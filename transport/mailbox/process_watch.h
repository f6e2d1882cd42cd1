// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_PROCESS_WATCH_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_PROCESS_WATCH_H_

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/statusor.h"
#include "transport/mailbox/process_identity.h"

namespace grpc_shm {

// Tells when another process ends, at once, and costs nothing before.
//
// All watches of this process for one process share a descriptor.
//
// Threads: any. `ended` runs on a reactor thread, once, and may still be
// running when the watch is destroyed: it should hold a weak reference.
//
// Move-only; moved-from, it watches nothing.
class ProcessWatch {
 public:
  // NOT_FOUND: it has ended already, and `ended` won't run.
  // RESOURCE_EXHAUSTED without descriptors.
  static absl::StatusOr<ProcessWatch> Start(ProcessIdentity process,
                                            std::function<void()> ended);

  ProcessWatch() = default;
  ProcessWatch(ProcessWatch&& other) noexcept
      : id_(std::exchange(other.id_, 0)) {}
  ProcessWatch& operator=(ProcessWatch&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~ProcessWatch();

 private:
  explicit ProcessWatch(uint64_t id) : id_(id) {}

  uint64_t id_ = 0;  // 0: none
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_PROCESS_WATCH_H_
