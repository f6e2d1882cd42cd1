// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/name_holder.h"

#include <sys/socket.h>

#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "transport/base/unique_fd.h"
#include "transport/link/address.h"
#include "transport/link/rendezvous.h"
#include "transport/link/socket_address.h"

namespace grpc_shm {
namespace {

absl::Status Failure(int error, const std::string& name) {
  const std::string what =
      absl::StrCat(DirectAddress(name), ": asking who listens there");
  switch (error) {
    case ENOENT:
    case ECONNREFUSED:
    case EAGAIN:  // more clients wait than may
      return absl::UnavailableError(
          absl::StrCat(what, ": nobody does, or too many clients wait"));
    default:
      return absl::ErrnoToStatus(error, what);
  }
}

}  // namespace

absl::StatusOr<PeerCredentials> NameHolder(const std::string& name) {
  absl::StatusOr<Rendezvous> rendezvous = Rendezvous::Open();
  if (!rendezvous.ok()) return rendezvous.status();
  absl::StatusOr<std::string> path = rendezvous->SocketPath(name);
  if (!path.ok()) return path.status();
  const UniqueFd probe(
      socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return Failure(errno, name);
  const sockaddr_un address = SocketAddress(*path);
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) != 0) {
    return Failure(errno, name);
  }
  return CredentialsOf(probe.get());
}

}  // namespace grpc_shm
