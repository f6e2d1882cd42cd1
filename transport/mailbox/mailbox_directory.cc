// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/mailbox_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace grpc_shm {
namespace {

constexpr char kWayOut[] =
    "; have it removed, or set GRPC_SHM_MAILBOX_DIR, for all processes alike, "
    "to a directory in a tmpfs";

std::string Base() {
  const char* variable = std::getenv("GRPC_SHM_MAILBOX_DIR");
  std::string base = variable == nullptr || *variable == '\0'
                         ? std::string("/dev/shm")
                         : std::string(variable);
  while (base.size() > 1 && base.back() == '/') base.pop_back();
  return base;
}

absl::Status Denied(const std::string& path, absl::string_view why) {
  return absl::PermissionDeniedError(absl::StrCat(
      "not using the mailbox directory ", path, ": ", why, kWayOut));
}

absl::Status CannotUse(int error, absl::string_view what,
                       const std::string& path) {
  absl::Status status = absl::ErrnoToStatus(
      error, absl::StrCat(what, " the mailbox directory ", path));
  if (absl::IsPermissionDenied(status) || absl::IsResourceExhausted(status) ||
      absl::IsNotFound(status)) {
    return status;
  }
  return absl::FailedPreconditionError(status.message());
}

absl::StatusOr<UniqueFd> OpenVerified(const std::string& path, uid_t owner,
                                      gid_t group) {
  UniqueFd fd(
      open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOTDIR || errno == ELOOP) {
      return Denied(path, "it is a symbolic link or not a directory");
    }
    return CannotUse(errno, "opening", path);
  }
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return CannotUse(errno, "fstat of", path);
  if (info.st_uid != owner) {
    return Denied(path, absl::StrCat("it belongs to uid ", info.st_uid,
                                     " and not to ", owner));
  }
  const mode_t forbidden = group == kNoGroup ? 077 : 027;
  if ((info.st_mode & forbidden) != 0) {
    return Denied(path, absl::StrFormat("its mode %04o lets others in",
                                        info.st_mode & 07777));
  }
  if (group == kNoGroup || owner != geteuid()) return fd;
  // Just made, perhaps by another process that has not got further.
  if (info.st_gid != group &&
      fchown(fd.get(), static_cast<uid_t>(-1), group) != 0) {
    return CannotUse(errno, absl::StrCat("giving group ", group, " access to"),
                     path);
  }
  if ((info.st_mode & 0777) != 0750 && fchmod(fd.get(), 0750) != 0) {
    return CannotUse(errno, "letting the group into", path);
  }
  return fd;
}

absl::Status CheckBase() {
  const std::string base = Base();
  if (base[0] == '/') return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "GRPC_SHM_MAILBOX_DIR \"", base, "\" must be an absolute path"));
}

}  // namespace

std::string MailboxDirectory::PathFor(uid_t owner, gid_t group) {
  return group == kNoGroup
             ? absl::StrCat(Base(), "/grpc-shm-", owner)
             : absl::StrCat(Base(), "/grpc-shm-", owner, "-g", group);
}

absl::StatusOr<MailboxDirectory> MailboxDirectory::Make(gid_t group) {
  absl::Status status = CheckBase();
  if (!status.ok()) return status;
  const uid_t owner = geteuid();
  std::string path = PathFor(owner, group);
  while (true) {
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return CannotUse(errno, "making", path);
    }
    absl::StatusOr<UniqueFd> fd = OpenVerified(path, owner, group);
    // Somebody has just removed it with its last mailbox.
    if (absl::IsNotFound(fd.status())) continue;
    if (!fd.ok()) return fd.status();
    return MailboxDirectory(std::move(path), *std::move(fd), owner, group);
  }
}

absl::StatusOr<MailboxDirectory> MailboxDirectory::Open(uid_t owner,
                                                        gid_t group) {
  absl::Status status = CheckBase();
  if (!status.ok()) return status;
  std::string path = PathFor(owner, group);
  absl::StatusOr<UniqueFd> fd = OpenVerified(path, owner, group);
  if (!fd.ok()) return fd.status();
  return MailboxDirectory(std::move(path), *std::move(fd), owner, group);
}

std::vector<gid_t> MailboxDirectory::Groups() {
  std::vector<gid_t> groups = {kNoGroup};
  const std::string prefix = absl::StrCat("grpc-shm-", geteuid(), "-g");
  DIR* const base = opendir(Base().c_str());
  if (base == nullptr) return groups;
  while (const dirent* entry = readdir(base)) {
    absl::string_view name(entry->d_name);
    gid_t group;
    if (absl::ConsumePrefix(&name, prefix) && absl::SimpleAtoi(name, &group)) {
      groups.push_back(group);
    }
  }
  closedir(base);
  return groups;
}

MailboxDirectory::Lock::Lock(const MailboxDirectory& directory)
    : fd_(directory.fd()) {
  while (flock(fd_, LOCK_EX) != 0 && errno == EINTR) {
  }
}

MailboxDirectory::Lock::~Lock() { flock(fd_, LOCK_UN); }

std::string MailboxDirectory::Path(absl::string_view name) const {
  return absl::StrCat(path_, "/", name);
}

std::vector<std::string> MailboxDirectory::Names() const {
  std::vector<std::string> names;
  // A descriptor of its own: reading moves it.
  UniqueFd fd(openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* const directory = fd.valid() ? fdopendir(fd.get()) : nullptr;
  if (directory == nullptr) return names;
  (void)fd.release();  // closedir closes it
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

void MailboxDirectory::RemoveIfEmpty() { rmdir(path_.c_str()); }

}  // namespace grpc_shm
