// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/listening_name.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "transport/base/fault_point.h"
#include "transport/base/fork.h"
#include "transport/link/address.h"
#include "transport/link/socket_address.h"

namespace grpc_shm {
namespace {

// Binds, listens, and only then lets the socket appear at `path`. The caller
// holds the name's lock, so nobody else uses either path.
absl::StatusOr<UniqueFd> ListenAt(const std::string& path,
                                  const std::string& new_path, int backlog,
                                  mode_t mode) {
  UniqueFd fd(
      socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "making a socket");
  // Linux gives the file the socket's own mode (less the umask): never, not
  // even for a moment, is it more than this.
  if (fchmod(fd.get(), mode) != 0) {
    return absl::ErrnoToStatus(errno, "chmod of a socket");
  }
  unlink(new_path.c_str());  // a server that died at this very point left it
  const sockaddr_un address = SocketAddress(new_path);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
           sizeof(address)) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("binding ", new_path));
  }
  GRPC_SHM_FAULT_POINT(NameBound);
  const auto failed = [&new_path](const std::string& what) {
    absl::Status status = absl::ErrnoToStatus(errno, what);
    unlink(new_path.c_str());
    return status;
  };
  // The umask is the process's. Nobody else can have put something else here.
  if (chmod(new_path.c_str(), mode) != 0) {
    return failed(absl::StrCat("chmod of ", new_path));
  }
  if (listen(fd.get(), backlog) != 0) {
    return failed(absl::StrCat("listening at ", path));
  }
  GRPC_SHM_FAULT_POINT(NameListening);
  if (rename(new_path.c_str(), path.c_str()) != 0) {
    return failed(absl::StrCat("renaming ", new_path, " to ", path));
  }
  GRPC_SHM_FAULT_POINT(NamePublished);
  return fd;
}

// Of the file at `path`; 0 for none.
ino_t InodeAt(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ListeningName>> ListeningName::Acquire(
    const std::string& name, int backlog, const RendezvousOptions& where) {
  const auto annotated = [&name](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(DirectAddress(name), ": ",
                                                    status.message()));
  };
  absl::StatusOr<Rendezvous> rendezvous = Rendezvous::Open(where);
  if (!rendezvous.ok()) return annotated(rendezvous.status());
  absl::StatusOr<std::string> path = rendezvous->SocketPath(name);
  if (!path.ok()) return path.status();
  absl::StatusOr<NameLock> lock = NameLock::ToServe(rendezvous->LockPath(name));
  if (absl::IsAlreadyExists(lock.status())) {
    return absl::AlreadyExistsError(absl::StrCat(
        DirectAddress(name), " is already served (", lock.status().message(),
        "); stop that server or choose another name"));
  }
  if (!lock.ok()) return annotated(lock.status());
  GRPC_SHM_FAULT_POINT(NameLocked);
  absl::StatusOr<std::string> new_path =
      rendezvous->NewSocketPath(name, lock->inode());
  if (!new_path.ok()) return new_path.status();
  absl::StatusOr<UniqueFd> socket =
      ListenAt(*path, *new_path, backlog, where.shared ? 0666 : 0600);
  if (!socket.ok()) return annotated(socket.status());
  return std::unique_ptr<ListeningName>(new ListeningName(
      *std::move(lock), *std::move(path), *std::move(socket)));
}

bool ListeningName::RemoveStale(const std::string& name,
                                const RendezvousOptions& where) {
  absl::StatusOr<Rendezvous> rendezvous = Rendezvous::Open(where);
  if (!rendezvous.ok()) return false;
  absl::StatusOr<std::string> path = rendezvous->SocketPath(name);
  if (!path.ok()) return false;
  absl::StatusOr<NameLock> lock = NameLock::ToClean(rendezvous->LockPath(name));
  if (!lock.ok()) return false;
  GRPC_SHM_FAULT_POINT(CleanerLocked);
  unlink(path->c_str());
  GRPC_SHM_FAULT_POINT(CleanerRemovedSocket);
  absl::StatusOr<std::string> new_path =
      rendezvous->NewSocketPath(name, lock->inode());
  if (new_path.ok()) unlink(new_path->c_str());
  return true;
}

ListeningName::ListeningName(NameLock lock, std::string socket_path,
                             UniqueFd socket)
    : lock_(std::move(lock)),
      socket_path_(std::move(socket_path)),
      socket_(std::move(socket)),
      inode_(InodeAt(socket_path_)) {
  KeepFromChildren(lock_.fd());
}

ListeningName::~ListeningName() {
  if (generation_ != ForkGeneration()) return;  // it is the parent's
  ForgetDescriptor(lock_.fd());
  GRPC_SHM_FAULT_POINT(NameReleasing);
  // Were the lock file removed by somebody else, another server could have the
  // name by now. Its socket is not ours to remove.
  if (InodeAt(socket_path_) == inode_) unlink(socket_path_.c_str());
  GRPC_SHM_FAULT_POINT(NameSocketRemoved);
}

}  // namespace grpc_shm
