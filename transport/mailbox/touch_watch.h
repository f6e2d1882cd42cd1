// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_TOUCH_WATCH_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_TOUCH_WATCH_H_

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grpc_shm {

// Tells all processes that have a file open that something has changed, without
// any of them having to wait for it or to ask: who has news touches the file
// (its times), the others watch it with inotify.
//
// All watches of a process share one inotify descriptor: the kernel allows a
// user few (128 by default).
//
// Threads: any. `touched` runs on a reactor thread, at least once after each
// touch, and may still be running when the watch is destroyed: it should hold a
// weak reference. Failure: RESOURCE_EXHAUSTED without descriptors or kernel
// watches.
//
// Move-only; moved-from, it watches nothing.
class TouchWatch {
 public:
  static absl::StatusOr<TouchWatch> Start(int fd,
                                          std::function<void()> touched);

  static absl::Status Touch(int fd);

  TouchWatch() = default;
  TouchWatch(TouchWatch&& other) noexcept : id_(std::exchange(other.id_, 0)) {}
  TouchWatch& operator=(TouchWatch&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~TouchWatch();

 private:
  explicit TouchWatch(uint64_t id) : id_(id) {}

  uint64_t id_ = 0;  // 0: none
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_TOUCH_WATCH_H_
