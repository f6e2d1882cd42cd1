// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_NAME_WATCH_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_NAME_WATCH_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace grpc_shm {

// Tells when a mailbox of this user may have appeared, so that whoever waits
// for it need not poll: when its name does, or the directory of all, which goes
// with the last mailbox. One that has been told and finds no mailbox starts
// another watch, and looks once more: the directory may be another one now.
//
// All watches of a process share one inotify descriptor.
//
// Threads: any. `appeared` runs on a reactor thread and may still be running
// when the watch is destroyed: it should hold a weak reference. Failure:
// RESOURCE_EXHAUSTED without descriptors or kernel watches; NOT_FOUND,
// PERMISSION_DENIED if not even the place for the directory can be watched.
//
// Move-only; moved-from, it watches nothing.
class MailboxNameWatch {
 public:
  static absl::StatusOr<MailboxNameWatch> Start(const std::string& name,
                                                std::function<void()> appeared);

  MailboxNameWatch() = default;
  MailboxNameWatch(MailboxNameWatch&& other) noexcept
      : place_(std::exchange(other.place_, 0)),
        directory_(std::exchange(other.directory_, 0)) {}
  MailboxNameWatch& operator=(MailboxNameWatch&& other) noexcept {
    std::swap(place_, other.place_);
    std::swap(directory_, other.directory_);
    return *this;
  }
  ~MailboxNameWatch() { Stop(); }

  bool active() const { return place_ != 0; }
  void Stop();

 private:
  uint64_t place_ = 0;      // of the directory's name; 0: none
  uint64_t directory_ = 0;  // of the mailbox's; 0: none
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_NAME_WATCH_H_
