// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_NAME_LOCK_H_
#define GRPC_SHM_TRANSPORT_LINK_NAME_LOCK_H_

#include <sys/types.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "transport/base/unique_fd.h"

namespace grpc_shm {

// The lock that tells a name that is served from one whose server has died. It
// is a lock on the open file NAME.lock, so the kernel drops it with the last
// descriptor: at destruction, or when the process dies, however it does. (A
// child made by fork() shares it, unless it is taken from it: base/fork.h.) The
// file itself stays behind for the next one: removing it would let two
// processes each lock a file of that name.
//
// Two kinds of holders exclude each other: one server, for as long as it
// serves; and any number of cleaners, who remove what a dead server left and
// hold it for a few system calls. An open file description lock rather than
// flock(), because it can be asked which kind is in the way without taking
// anything: a server must not be told that the name is served because of a
// cleaner.
//
// Move-only.
class NameLock {
 public:
  // Takes the lock to serve the name; makes the file (mode 0600) if it is
  // missing. Does not wait for another server, but up to a second for a cleaner
  // that was preempted at the wrong moment. ALREADY_EXISTS when another server
  // holds it; UNAVAILABLE when a cleaner does and does not get on (is stopped,
  // say); PERMISSION_DENIED when the file is not a regular one of ours.
  static absl::StatusOr<NameLock> ToServe(const std::string& path);

  // Takes the lock to clean up. Any failure means that there is nothing for
  // the caller to do: FAILED_PRECONDITION when the name is served, NOT_FOUND
  // when it never was.
  static absl::StatusOr<NameLock> ToClean(const std::string& path);

  // Of the file: tells it from all others in its directory.
  ino_t inode() const { return inode_; }
  int fd() const { return fd_.get(); }

 private:
  explicit NameLock(UniqueFd fd);

  UniqueFd fd_;
  ino_t inode_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_NAME_LOCK_H_
