// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_LISTENING_NAME_H_
#define GRPC_SHM_TRANSPORT_LINK_LISTENING_NAME_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "transport/base/fork.h"
#include "transport/base/unique_fd.h"
#include "transport/link/name_lock.h"
#include "transport/link/rendezvous.h"

namespace grpc_shm {

// A server's hold on a direct address: while this exists, the name is ours and
// clients can connect to it. Owns the name's lock and the listening socket.
//
// At most one exists per name among all processes of a user. The kernel frees
// the name when the process dies, and the next Acquire takes it over at once.
//
// Acquire and the destructor may run in any thread; fd() may be used from any.
class ListeningName {
 public:
  // Takes `name` (a valid NAME, see address.h) and listens. `backlog` is how
  // many clients may wait to be accepted; the kernel caps it
  // (net.core.somaxconn). The socket appears under its name only when it
  // accepts, with mode 0600 (0666 in a shared directory, for whom that lets
  // in), by a rename that replaces what a dead server left.
  //
  // Fails with ALREADY_EXISTS when the name is served; as Rendezvous::Open()
  // does; RESOURCE_EXHAUSTED without descriptors or disk space.
  static absl::StatusOr<std::unique_ptr<ListeningName>> Acquire(
      const std::string& name, int backlog,
      const RendezvousOptions& where = RendezvousOptions());

  // Removes the socket file that a dead server of `name` left behind, if so;
  // false if somebody has the name. A client calls it when it finds nobody
  // listening.
  static bool RemoveStale(const std::string& name,
                          const RendezvousOptions& where = RendezvousOptions());

  // Removes the socket file and frees the name. The lock file stays.
  ~ListeningName();

  ListeningName(const ListeningName&) = delete;
  ListeningName& operator=(const ListeningName&) = delete;

  // The listening socket: SOCK_SEQPACKET, non-blocking, closed on exec.
  int fd() const { return socket_.get(); }

 private:
  ListeningName(NameLock lock, std::string socket_path, UniqueFd socket);

  // Destroyed last: the name is free only when nothing of ours is left.
  NameLock lock_;
  const std::string socket_path_;
  const UniqueFd socket_;
  const ino_t inode_;
  const int generation_ = ForkGeneration();
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_LISTENING_NAME_H_
