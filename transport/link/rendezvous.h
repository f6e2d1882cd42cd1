// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_RENDEZVOUS_H_
#define GRPC_SHM_TRANSPORT_LINK_RENDEZVOUS_H_

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace grpc_shm {

// Which directory, and whose it may be.
struct RendezvousOptions {
  // An absolute path; empty: by the environment, see below.
  std::string directory;
  // Whether processes of other users are to find names here. Such a directory
  // is made by whoever decides that, and not by us: mode 0711, or 0755 to let
  // the others list it, and learn of names that appear (inotify) instead of
  // looking for them now and then. Only its owner may write in it.
  bool shared = false;
  // Of a shared one: the uids to whom it may belong instead of the effective
  // user's.
  std::vector<uid_t> owners;
};

// The directory where servers and clients meet, those of one user unless it is
// shared. Unless it is given, it is the first of these whose environment
// variable is set and not empty:
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
//   .INODE      the socket on its way to becoming NAME.sock; INODE is the
//               lock's, in hexadecimal. The kernel shows everybody the path
//               that a socket was bound to (/proc/net/unix), so it must not
//               tell the name.
//
// Whoever can write in this directory can pretend to be a server, so it is
// trusted only when nobody else can. (What is above its parent is the user's
// choice; a name is anyhow believed only after SO_PEERCRED, see handshake.h.)
//
// A value: copyable, any thread may use it, it holds no descriptor.
class Rendezvous {
 public:
  // Makes the directory (mode 0700) if it is missing and not shared, its
  // parents not, and verifies that it is a directory and not a symbolic link;
  // that the effective user (or one of `owners`) owns it; that neither group
  // nor others have any right in it (if it is shared: may write in it); and
  // that not everybody may replace it.
  //
  // Fails with PERMISSION_DENIED when that does not hold; INVALID_ARGUMENT when
  // the path is relative; FAILED_PRECONDITION when it can't be made; NOT_FOUND
  // when it is shared and missing; RESOURCE_EXHAUSTED without descriptors or
  // disk space. Each message names the path and the way out.
  static absl::StatusOr<Rendezvous> Open(
      const RendezvousOptions& options = RendezvousOptions());

  const std::string& directory() const { return directory_; }

  // Paths of the files of `name`, a valid NAME (see address.h), whose lock has
  // that inode. INVALID_ARGUMENT when a socket address has no room for the path
  // (107 bytes).
  absl::StatusOr<std::string> SocketPath(absl::string_view name) const;
  std::string LockPath(absl::string_view name) const;
  absl::StatusOr<std::string> NewSocketPath(absl::string_view name,
                                            ino_t lock) const;

 private:
  explicit Rendezvous(std::string directory)
      : directory_(std::move(directory)) {}

  std::string directory_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_RENDEZVOUS_H_
