// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_DIRECT_LISTENER_H_
#define GRPC_SHM_TRANSPORT_GRPC_DIRECT_LISTENER_H_

#include <grpcpp/server.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "transport/base/unique_fd.h"
#include "transport/call/session.h"
#include "transport/grpc/address_listener.h"
#include "transport/link/listening_name.h"
#include "transport/link/reactor.h"
#include "transport/options.h"
#include "transport/stats.h"

namespace grpc_shm {

// Serves a direct address: accepts clients, shakes hands, and plays the calls
// that come over their links inline, or on an in-process channel of a server.
//
// Clients that come to nothing (that say nothing until somebody else needs
// their place, fail to shake hands, or go without ever having called) take time
// from those that have links. After each, nobody is accepted for a while.
//
// Threads: any. Ownership: shared by its owner and, while they run, by reactor
// handlers; holds its links.
class DirectListener final
    : public AddressListener,
      public std::enable_shared_from_this<DirectListener> {
 public:
  // Takes the name and listens. INVALID_ARGUMENT, ALREADY_EXISTS,
  // PERMISSION_DENIED, RESOURCE_EXHAUSTED: see ListeningName and Reactor.
  static absl::StatusOr<std::shared_ptr<DirectListener>> Start(
      const std::string& address, grpc::Server* server,
      const ListenerOptions& options);

  DirectListener(const DirectListener&) = delete;
  DirectListener& operator=(const DirectListener&) = delete;
  ~DirectListener() override;

  void Drain() override;
  void AwaitIdle(absl::Time deadline) override;
  void Close() override;
  ListenerStats stats() const override;

 private:
  class ServedLink;

  // A client that has connected and not said what it wants.
  struct Handshake {
    UniqueFd socket;
    Reactor::SourceId source;
    Reactor::TimerId timer;
  };

  DirectListener(const std::string& address, std::string name,
                 grpc::Server* server, const ListenerOptions& options);

  void OnAcceptable();
  void OnPauseOver();
  void Pause(absl::Duration pause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AcceptOne(UniqueFd socket) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool DropSilentOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MakeRoomForLink() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckLimits(int socket_fd) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::unique_ptr<Link>> MakeLink(UniqueFd socket)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool RefuseOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnHello(uint64_t id);
  void OnHandshakeTimeout(uint64_t id);
  absl::optional<Handshake> TakeHandshake(uint64_t id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Forget(ServedLink* link);

  const std::string name_;
  CallDestination destination_;

  mutable absl::Mutex mu_;
  std::unique_ptr<ListeningName> listening_
      ABSL_GUARDED_BY(mu_);  // null: drained
  Reactor::SourceId source_ ABSL_GUARDED_BY(mu_) = 0;
  UniqueFd spare_ ABSL_GUARDED_BY(
      mu_);  // given up to tell a client that there are no descriptors left
  // Nobody is accepted before (MonotonicNanos), and when there is somebody a
  // timer waits for that.
  int64_t accept_at_ ABSL_GUARDED_BY(mu_) = 0;
  Reactor::TimerId accept_timer_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t next_handshake_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<uint64_t, Handshake> handshakes_
      ABSL_GUARDED_BY(mu_);  // the oldest first
  absl::flat_hash_map<ServedLink*, std::shared_ptr<ServedLink>> links_
      ABSL_GUARDED_BY(mu_);
  // Of those: how many each user has, and their memory.
  absl::flat_hash_map<uid_t, size_t> links_of_user_ ABSL_GUARDED_BY(mu_);
  size_t link_bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_DIRECT_LISTENER_H_
