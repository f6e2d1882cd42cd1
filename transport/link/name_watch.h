// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_NAME_WATCH_H_
#define GRPC_SHM_TRANSPORT_LINK_NAME_WATCH_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace grpc_shm {

// Tells when a server's name appears in the rendezvous directory, so that
// whoever waits for it need not poll.
//
// All watches of a process share one inotify descriptor and one kernel watch
// per directory: the kernel allows a user few of either (128 instances by
// default), and a process may have many channels.
//
// Threads: any. `appeared` runs on a reactor thread, once per appearance, and
// may still be running when the watch is destroyed: it should hold a weak
// reference. Failure: RESOURCE_EXHAUSTED without descriptors or kernel watches;
// NOT_FOUND without the directory.
class NameWatch {
 public:
  // Watches for the socket of `name` in `directory`.
  static absl::StatusOr<NameWatch> Start(const std::string& directory,
                                         const std::string& name,
                                         std::function<void()> appeared);

  NameWatch() = default;
  NameWatch(NameWatch&& other) noexcept : id_(other.id_) { other.id_ = 0; }
  NameWatch& operator=(NameWatch&& other) noexcept;
  ~NameWatch() { Stop(); }

  bool active() const { return id_ != 0; }
  void Stop();

 private:
  explicit NameWatch(uint64_t id) : id_(id) {}

  uint64_t id_ = 0;  // 0: none
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_NAME_WATCH_H_
