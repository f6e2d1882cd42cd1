// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_DIRECT_CHANNEL_H_
#define GRPC_SHM_TRANSPORT_GRPC_DIRECT_CHANNEL_H_

#include <grpc/grpc.h>

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "transport/base/mutex.h"
#include "transport/base/unique_fd.h"
#include "transport/call/session.h"
#include "transport/grpc/client_channel.h"
#include "transport/grpc/connectivity.h"
#include "transport/grpc/outbound_call.h"
#include "transport/link/name_watch.h"
#include "transport/link/reactor.h"

namespace grpc_shm {

// The calls of one channel to one direct address, and the link that carries
// them: made when the first call needs it, made again whenever it is lost,
// shared by all calls.
//
// Connectivity is gRPC's: IDLE until somebody wants something; CONNECTING
// during the hand-shake; READY with a link; TRANSIENT_FAILURE after a failed
// attempt. A lost link is IDLE, or CONNECTING when calls wait. After a failure
// the channel tries again as soon as the server's name appears, with a slow
// timer besides (twice as long each time), and at once for each new call: an
// attempt takes microseconds. An attempt that finds more clients waiting for
// the server than may is still under way: it knocks again, at growing
// intervals, until the time for a hand-shake is over.
//
// A call that does not wait for ready fails with the status of the attempt it
// waited for.
//
// Threads: any. Lifetime: as long as its owner or a call needs it.
class DirectChannel final : public ClientChannel,
                            public SessionHandler,
                            public std::enable_shared_from_this<DirectChannel> {
 public:
  // `target` is "shm:NAME", well-formed or not.
  static std::shared_ptr<DirectChannel> Create(const std::string& target,
                                               const Options& options);
  ~DirectChannel() override;

  void ForgetCall(const OutboundCall* call) override;
  std::shared_ptr<Session> session(
      std::vector<std::shared_ptr<Session>>* others) override;
  void Release() override;
  grpc_connectivity_state GetState(bool try_to_connect) override;

  std::shared_ptr<CallHandler> OnCall(const std::shared_ptr<Call>&,
                                      wire::CallStart) override {
    return nullptr;  // servers only
  }
  void OnGoAway(Session* session) override;
  void OnClosed(Session* session, const absl::Status& status) override;

 private:
  // What is to be done once the lock is released.
  struct Effects {
    std::vector<std::shared_ptr<OutboundCall>> failed;
    absl::Status failure;
    std::vector<std::shared_ptr<OutboundCall>> started;
    std::shared_ptr<Session> session;  // that `started` go on
    Connectivity::Tellers tellers;
    std::shared_ptr<Session> to_close;  // when it is idle
  };

  DirectChannel(const std::string& target, const Options& options);

  void DoStartCall(const std::shared_ptr<OutboundCall>& call) override;
  void StartOn(const std::shared_ptr<Session>& session,
               const std::shared_ptr<OutboundCall>& call);
  void Connect(Effects* effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Knock(Effects* effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void KnockLater() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void StopConnecting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ConnectFailed(const absl::Status& status, Effects* effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Lost(Effects* effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetState(grpc_connectivity_state state, Effects* effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool StartNameWatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void StopIfUnused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Perform(Effects effects);

  void OnAnswer(uint64_t attempt);
  absl::StatusOr<std::shared_ptr<Session>> FinishConnecting()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnHandshakeTimeout(uint64_t attempt);
  void Retry();

  Mutex mu_;
  bool released_ ABSL_GUARDED_BY(mu_) = false;
  std::list<std::shared_ptr<OutboundCall>> waiting_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Session> session_ ABSL_GUARDED_BY(mu_);  // READY

  // The attempt under way: it waits to be accepted, or for the answer.
  uint64_t attempt_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t give_up_ ABSL_GUARDED_BY(mu_) = 0;  // MonotonicNanos
  Reactor::TimerId knock_timer_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Duration next_knock_ ABSL_GUARDED_BY(mu_);
  UniqueFd socket_ ABSL_GUARDED_BY(mu_);
  Reactor::SourceId source_ ABSL_GUARDED_BY(mu_) = 0;
  Reactor::TimerId handshake_timer_ ABSL_GUARDED_BY(mu_) = 0;

  // After a failed one.
  NameWatch name_watch_ ABSL_GUARDED_BY(mu_);
  Reactor::TimerId retry_timer_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Duration backoff_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_DIRECT_CHANNEL_H_
