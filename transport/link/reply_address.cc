// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/reply_address.h"

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "transport/link/rendezvous.h"
#include "transport/link/socket_address.h"

namespace grpc_shm {
namespace {

constexpr absl::string_view kPrefix = ".reply-";
constexpr absl::string_view kSuffix = ".sock";

}  // namespace

absl::StatusOr<std::unique_ptr<ReplyAddress>> ReplyAddress::Listen(
    int backlog) {
  absl::StatusOr<Rendezvous> rendezvous = Rendezvous::Open();
  if (!rendezvous.ok()) return rendezvous.status();
  uint64_t random;
  if (getrandom(&random, sizeof(random), 0) != sizeof(random))
    return absl::ErrnoToStatus(errno, "choosing a reply address");
  absl::StatusOr<std::string> path = rendezvous->SocketPath(
      absl::StrCat(kPrefix, getpid(), "-", absl::Hex(random)));
  if (!path.ok()) return path.status();
  UniqueFd fd(
      socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "making a socket");
  // The file gets the socket's own mode.
  if (fchmod(fd.get(), 0600) != 0)
    return absl::ErrnoToStatus(errno, "chmod of a socket");
  const sockaddr_un address = SocketAddress(*path);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
           sizeof(address)) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("binding ", *path));
  std::unique_ptr<ReplyAddress> reply(
      new ReplyAddress(*std::move(path), std::move(fd)));
  if (listen(reply->fd(), backlog) != 0) {
    return absl::ErrnoToStatus(errno,
                               absl::StrCat("listening at ", reply->path()));
  }
  return reply;
}

ReplyAddress::~ReplyAddress() { unlink(path_.c_str()); }

bool ReplyAddress::IsPath(absl::string_view path) {
  if (path.empty() || path[0] != '/' ||
      path.size() >= sizeof(sockaddr_un::sun_path) ||
      path.find('\0') != absl::string_view::npos)
    return false;
  const absl::string_view file = path.substr(path.rfind('/') + 1);
  return absl::StartsWith(file, kPrefix) && absl::EndsWith(file, kSuffix);
}

bool ReplyAddress::RemoveIfDead(const std::string& path) {
  if (!IsPath(path)) return false;
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) return errno == ENOENT;
  if (!S_ISSOCK(info.st_mode) || info.st_uid != geteuid()) return false;
  UniqueFd fd(
      socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return false;
  const sockaddr_un address = SocketAddress(path);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) == 0 ||
      errno != ECONNREFUSED)
    return false;
  unlink(path.c_str());
  return true;
}

}  // namespace grpc_shm
