// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_RENDEZVOUS_H_
#define GRPC_SHM_TRANSPORT_LINK_RENDEZVOUS_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace grpc_shm {

// The directory where the servers and clients of one user meet. It is the first
// of these whose environment variable is set and not empty:
//
//   $GRPC_SHM_DIR                     (itself)
//   $XDG_RUNTIME_DIR/grpc-shm
//   $TMPDIR/grpc-shm-UID              (/tmp without TMPDIR; UID: effective)
//
// The choice depends on the environment alone, never on what exists, so that
// two processes with one environment cannot miss each other.
//
// What is in it, for a server NAME:
//
//   NAME.sock   the listening socket; it appears only once it accepts
//   NAME.lock   locked while NAME is served; stays behind, to be used again
//   NAME.new    the socket on its way to becoming NAME.sock
//
// Whoever can write in this directory can pretend to be a server, so it is
// trusted only when it is ours alone. (Its parents are the user's choice; a
// name is anyhow believed only after SO_PEERCRED, see handshake.h.)
//
// A value: copyable, any thread may use it, it holds no descriptor.
class Rendezvous {
 public:
  // Makes the directory (mode 0700) if it is missing, its parents not, and
  // verifies that it is a directory and not a symbolic link, that the effective
  // user owns it, and that neither group nor others have any right in it.
  //
  // Fails with PERMISSION_DENIED when that does not hold; INVALID_ARGUMENT when
  // the path is relative; FAILED_PRECONDITION when it can't be made;
  // RESOURCE_EXHAUSTED without descriptors or disk space. Each message names
  // the path and the way out.
  static absl::StatusOr<Rendezvous> Open();

  const std::string& directory() const { return directory_; }

  // Paths of the files of `name`, a valid NAME (see address.h).
  // INVALID_ARGUMENT when a socket address has no room for the path (107
  // bytes).
  absl::StatusOr<std::string> SocketPath(absl::string_view name) const;
  std::string LockPath(absl::string_view name) const;
  std::string NewSocketPath(absl::string_view name) const;

 private:
  explicit Rendezvous(std::string directory)
      : directory_(std::move(directory)) {}

  std::string directory_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_RENDEZVOUS_H_
