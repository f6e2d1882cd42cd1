// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/name_lock.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "transport/base/fault_point.h"

namespace grpc_shm {
namespace {

// A cleaner is done within microseconds, unless it was preempted or stopped.
// How long a server lets it have the processor before it gives up.
constexpr std::chrono::seconds kPatience{1};

using LockType = decltype(flock::l_type);

struct flock WholeFile(LockType type) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

bool TryLock(int fd, LockType type) {
  struct flock lock = WholeFile(type);
  return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

// What stands in the way of a server: F_WRLCK another server, F_RDLCK a
// cleaner, F_UNLCK nothing any more; -1 with errno.
int LockInTheWay(int fd) {
  struct flock lock = WholeFile(F_WRLCK);
  if (fcntl(fd, F_OFD_GETLK, &lock) != 0) return -1;
  return lock.l_type;
}

absl::StatusOr<UniqueFd> OpenLockFile(const std::string& path, int flags) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags,
                   static_cast<mode_t>(0600)));
  if (!fd.valid()) {
    return absl::ErrnoToStatus(errno, absl::StrCat("opening ", path));
  }
  struct stat info;
  if (fstat(fd.get(), &info) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("fstat of ", path));
  }
  if (!S_ISREG(info.st_mode) || info.st_uid != geteuid()) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, " is not a regular file of this user; remove it"));
  }
  return fd;
}

ino_t InodeOf(int fd) {
  struct stat info = {};
  fstat(fd, &info);  // as when it was opened: it can't fail
  return info.st_ino;
}

}  // namespace

NameLock::NameLock(UniqueFd fd)
    : fd_(std::move(fd)), inode_(InodeOf(fd_.get())) {}

absl::StatusOr<NameLock> NameLock::ToServe(const std::string& path) {
  absl::StatusOr<UniqueFd> fd = OpenLockFile(path, O_CREAT);
  if (!fd.ok()) return fd.status();
  GRPC_SHM_FAULT_POINT(NameLockOpened);
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  do {
    if (TryLock(fd->get(), F_WRLCK)) return NameLock(*std::move(fd));
    if (errno != EAGAIN && errno != EACCES) {
      return absl::ErrnoToStatus(errno, absl::StrCat("locking ", path));
    }
    const int other = LockInTheWay(fd->get());
    if (other == -1) {
      return absl::ErrnoToStatus(errno, absl::StrCat("asking about ", path));
    }
    if (other == F_WRLCK) {
      return absl::AlreadyExistsError(
          absl::StrCat("another server holds ", path));
    }
    sched_yield();
  } while (std::chrono::steady_clock::now() < give_up);
  return absl::UnavailableError(absl::StrCat(
      "a process that cleans up after a dead server keeps ", path, " locked"));
}

absl::StatusOr<NameLock> NameLock::ToClean(const std::string& path) {
  absl::StatusOr<UniqueFd> fd = OpenLockFile(path, /*flags=*/0);
  if (!fd.ok()) return fd.status();
  if (!TryLock(fd->get(), F_RDLCK)) {
    return absl::FailedPreconditionError(absl::StrCat("a server holds ", path));
  }
  return NameLock(*std::move(fd));
}

}  // namespace grpc_shm
