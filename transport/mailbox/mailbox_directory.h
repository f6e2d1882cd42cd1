// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_DIRECTORY_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_DIRECTORY_H_

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "transport/base/unique_fd.h"

namespace grpc_shm {

inline constexpr gid_t kNoGroup = static_cast<gid_t>(-1);

// Where one user's mailboxes are, a file each, under its name:
//
//   /dev/shm/grpc-shm-UID/        mode 0700: of mode 0600
//   /dev/shm/grpc-shm-UID-gGID/   mode 0750, group GID: of mode 0660
//
// $GRPC_SHM_MAILBOX_DIR, an absolute path, stands for /dev/shm if it is set
// and not empty; it should be a tmpfs.
//
// Whoever can write in such a directory can pretend to be a mailbox, so it is
// trusted only when its owner alone can; and files are reached through an open
// descriptor of the directory that was looked at. It goes when its last mailbox
// is destroyed.
//
// Move-only; members may be called by one thread at a time.
class MailboxDirectory {
 public:
  // Makes it if need be; it is the effective user's then.
  //
  // PERMISSION_DENIED: it is somebody else's, or others have rights in it, or
  // this user is not in the group. Each message names the path and the way out.
  static absl::StatusOr<MailboxDirectory> Make(gid_t group);

  // NOT_FOUND: there is none. PERMISSION_DENIED: as above, or not for this
  // user.
  static absl::StatusOr<MailboxDirectory> Open(uid_t owner, gid_t group);

  // Where it is, whether it exists or not.
  static std::string PathFor(uid_t owner, gid_t group);

  // The groups that the effective user has such a directory for, kNoGroup
  // included, whether it is there or not.
  static std::vector<gid_t> Groups();

  // As long as it lives no other process makes or destroys mailboxes in here;
  // the kernel takes the lock back from who dies.
  class Lock {
   public:
    explicit Lock(const MailboxDirectory& directory);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    const int fd_;
  };

  int fd() const { return fd_.get(); }
  uid_t owner() const { return owner_; }
  gid_t group() const { return group_; }
  std::string Path(absl::string_view name) const;

  // Names of all files in it.
  std::vector<std::string> Names() const;

  // If it is empty.
  void RemoveIfEmpty();

 private:
  MailboxDirectory(std::string path, UniqueFd fd, uid_t owner, gid_t group)
      : path_(std::move(path)),
        fd_(std::move(fd)),
        owner_(owner),
        group_(group) {}

  std::string path_;
  UniqueFd fd_;
  uid_t owner_;
  gid_t group_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_DIRECTORY_H_
