// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/rendezvous.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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

constexpr char kWayOut[] =
    "; set GRPC_SHM_DIR, for server and client alike, to a directory that only "
    "you can use";

absl::string_view Environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? absl::string_view() : absl::string_view(value);
}

std::string ChooseDirectory() {
  std::string directory;
  if (!Environment("GRPC_SHM_DIR").empty()) {
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

absl::Status Denied(const std::string& directory, absl::string_view why) {
  return absl::PermissionDeniedError(absl::StrCat(
      "not using the rendezvous directory ", directory, ": ", why, kWayOut));
}

absl::Status CannotUse(int error, absl::string_view what,
                       const std::string& directory) {
  absl::Status status = absl::ErrnoToStatus(
      error, absl::StrCat(what, " the rendezvous directory ", directory));
  const absl::StatusCode code =
      absl::IsPermissionDenied(status) || absl::IsResourceExhausted(status)
          ? status.code()
          : absl::StatusCode::kFailedPrecondition;
  return absl::Status(code, absl::StrCat(status.message(), kWayOut));
}

absl::Status Verify(const std::string& directory) {
  UniqueFd fd(
      open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOTDIR || errno == ELOOP) {
      return Denied(directory, "it is a symbolic link or not a directory");
    }
    return CannotUse(errno, "opening", directory);
  }
  struct stat info;
  if (fstat(fd.get(), &info) != 0) {
    return CannotUse(errno, "fstat of", directory);
  }
  if (info.st_uid != geteuid()) {
    return Denied(directory,
                  absl::StrCat("it belongs to uid ", info.st_uid,
                               " while this process runs as ", geteuid()));
  }
  if ((info.st_mode & 077) != 0) {
    return Denied(directory,
                  absl::StrFormat("its mode %04o lets other users in (chmod "
                                  "700 mends that)",
                                  info.st_mode & 07777));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Rendezvous> Rendezvous::Open() {
  std::string directory = ChooseDirectory();
  if (directory[0] != '/') {
    return absl::InvalidArgumentError(
        absl::StrCat("the rendezvous directory \"", directory,
                     "\" must be an absolute path", kWayOut));
  }
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return CannotUse(errno, "making", directory);
  }
  absl::Status status = Verify(directory);
  if (!status.ok()) return status;
  return Rendezvous(std::move(directory));
}

absl::StatusOr<std::string> Rendezvous::SocketPath(
    absl::string_view name) const {
  constexpr size_t kMaxPathBytes = sizeof(sockaddr_un::sun_path) - 1;
  std::string path = absl::StrCat(directory_, "/", name, ".sock");
  if (path.size() > kMaxPathBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        DirectAddress(name), ": its socket ", path, " has a path of ",
        path.size(), " bytes where the system allows ", kMaxPathBytes,
        "; choose a shorter name or set GRPC_SHM_DIR to a shorter path"));
  }
  return path;
}

std::string Rendezvous::LockPath(absl::string_view name) const {
  return absl::StrCat(directory_, "/", name, ".lock");
}

std::string Rendezvous::NewSocketPath(absl::string_view name) const {
  return absl::StrCat(directory_, "/", name, ".new");
}

}  // namespace grpc_shm
