// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/rendezvous.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "transport/base/unique_fd.h"
#include "transport/link/address.h"

namespace grpc_shm {
namespace {

absl::string_view WayOut(const RendezvousOptions& options) {
  return options.shared
             ? "; server and client need one directory (GRPC_SHM_DIR, or the "
               "option) that only its owner may write in, with mode 0711 or "
               "0755, that belongs to whom they admit"
             : "; set GRPC_SHM_DIR, for server and client alike, to a "
               "directory that only you can use";
}

absl::string_view Environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? absl::string_view() : absl::string_view(value);
}

std::string ChooseDirectory(const RendezvousOptions& options) {
  std::string directory;
  if (!options.directory.empty()) {
    directory = options.directory;
  } else if (!Environment("GRPC_SHM_DIR").empty()) {
    directory = std::string(Environment("GRPC_SHM_DIR"));
  } else if (!Environment("XDG_RUNTIME_DIR").empty()) {
    directory = absl::StrCat(Environment("XDG_RUNTIME_DIR"), "/grpc-shm");
  } else {
    absl::string_view temporary = Environment("TMPDIR");
    if (temporary.empty()) temporary = "/tmp";
    directory = absl::StrCat(temporary, "/grpc-shm-", geteuid());
  }
  // With a slash at its end O_NOFOLLOW would follow a symbolic link after all.
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  return directory;
}

absl::Status Denied(const std::string& directory, absl::string_view why,
                    const RendezvousOptions& options) {
  return absl::PermissionDeniedError(
      absl::StrCat("not using the rendezvous directory ", directory, ": ", why,
                   WayOut(options)));
}

absl::Status CannotUse(int error, absl::string_view what,
                       const std::string& directory,
                       const RendezvousOptions& options) {
  absl::Status status = absl::ErrnoToStatus(
      error, absl::StrCat(what, " the rendezvous directory ", directory));
  const absl::StatusCode code =
      absl::IsPermissionDenied(status) || absl::IsResourceExhausted(status)
          ? status.code()
          : absl::StatusCode::kFailedPrecondition;
  return absl::Status(code, absl::StrCat(status.message(), WayOut(options)));
}

// Others' rights that an unshared, or a shared, directory must not give.
constexpr mode_t kAnyRight = 077;
constexpr mode_t kWriting = 022;

absl::Status Verify(const std::string& directory,
                    const RendezvousOptions& options) {
  // O_PATH: others may search a shared directory without reading it.
  UniqueFd fd(
      open(directory.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOTDIR || errno == ELOOP) {
      return Denied(directory, "it is a symbolic link or not a directory",
                    options);
    }
    if (errno == ENOENT && options.shared) {
      return absl::NotFoundError(
          absl::StrCat("there is no directory ", directory, WayOut(options)));
    }
    return CannotUse(errno, "opening", directory, options);
  }
  struct stat info;
  if (fstat(fd.get(), &info) != 0) {
    return CannotUse(errno, "fstat of", directory, options);
  }
  const bool owned =
      info.st_uid == geteuid() ||
      (options.shared && std::find(options.owners.begin(), options.owners.end(),
                                   info.st_uid) != options.owners.end());
  if (!owned) {
    return Denied(directory,
                  absl::StrCat("it belongs to uid ", info.st_uid,
                               " while this process runs as ", geteuid()),
                  options);
  }
  if ((info.st_mode & (options.shared ? kWriting : kAnyRight)) != 0) {
    return Denied(directory,
                  absl::StrFormat(
                      "its mode %04o lets other users %s", info.st_mode & 07777,
                      options.shared ? "write in it (chmod 711 mends that)"
                                     : "in (chmod 700 mends that)"),
                  options);
  }
  struct stat parent;
  if (fstatat(fd.get(), "..", &parent, 0) != 0) {
    return CannotUse(errno, "looking above", directory, options);
  }
  if ((parent.st_mode & S_IWOTH) != 0 && (parent.st_mode & S_ISVTX) == 0) {
    return Denied(directory,
                  absl::StrFormat("everybody may replace it, since the mode of "
                                  "its parent is %04o (chmod +t mends that)",
                                  parent.st_mode & 07777),
                  options);
  }
  return absl::OkStatus();
}

// A path for a socket of `name`, if it fits.
absl::StatusOr<std::string> Checked(absl::string_view name, std::string path) {
  constexpr size_t kMaxPathBytes = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > kMaxPathBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        DirectAddress(name), ": its socket ", path, " has a path of ",
        path.size(), " bytes where the system allows ", kMaxPathBytes,
        "; choose a shorter name or set GRPC_SHM_DIR to a shorter path"));
  }
  return path;
}

}  // namespace

absl::StatusOr<Rendezvous> Rendezvous::Open(const RendezvousOptions& options) {
  std::string directory = ChooseDirectory(options);
  if (directory[0] != '/') {
    return absl::InvalidArgumentError(
        absl::StrCat("the rendezvous directory \"", directory,
                     "\" must be an absolute path", WayOut(options)));
  }
  if (!options.shared && mkdir(directory.c_str(), 0700) != 0 &&
      errno != EEXIST) {
    return CannotUse(errno, "making", directory, options);
  }
  absl::Status status = Verify(directory, options);
  if (!status.ok()) return status;
  return Rendezvous(std::move(directory));
}

absl::StatusOr<std::string> Rendezvous::SocketPath(
    absl::string_view name) const {
  return Checked(name, absl::StrCat(directory_, "/", name, ".sock"));
}

std::string Rendezvous::LockPath(absl::string_view name) const {
  return absl::StrCat(directory_, "/", name, ".lock");
}

absl::StatusOr<std::string> Rendezvous::NewSocketPath(absl::string_view name,
                                                      ino_t lock) const {
  return Checked(name, absl::StrCat(directory_, "/.", absl::Hex(lock)));
}

}  // namespace grpc_shm
