// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_CLIENT_CHANNEL_H_
#define GRPC_SHM_TRANSPORT_GRPC_CLIENT_CHANNEL_H_

#include <grpc/grpc.h>
#include <grpcpp/channel.h>

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
#include "transport/grpc/outbound_call.h"
#include "transport/link/link_options.h"
#include "transport/link/name_watch.h"
#include "transport/link/reactor.h"
#include "transport/link/spinner.h"

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
// attempt takes microseconds.
//
// A call that does not wait for ready fails with the status of the attempt it
// waited for. With a name that can't be an address every call fails, at once.
//
// Threads: any. Lifetime: as long as its owner or a call needs it.
class ClientChannel : public SessionHandler,
                      public std::enable_shared_from_this<ClientChannel> {
 public:
  struct Options {
    LinkOptions link;
    int64_t max_receive_message_bytes = -1;  // -1: no limit
    absl::Duration handshake_timeout =
        absl::Seconds(20);  // a server may be stopped, or busy
    absl::Duration max_reconnect_backoff = absl::Seconds(30);
    SpinPolicy wait_policy = SpinPolicy::kAdaptive;
  };

  // `target` is "shm:NAME", well-formed or not.
  static std::shared_ptr<ClientChannel> Create(const std::string& target,
                                               const Options& options);

  ClientChannel(const ClientChannel&) = delete;
  ClientChannel& operator=(const ClientChannel&) = delete;
  ~ClientChannel() override;

  // Puts the call on the link, or lets it wait for one, or fails it.
  void StartCall(const std::shared_ptr<OutboundCall>& call);

  // The application gave up a call that may wait for a link.
  void ForgetCall(const OutboundCall* call);

  // The link's; null if there is none.
  std::shared_ptr<Session> session();

  // Calls on the short path that the application has not destroyed, ended or
  // not: how much it may have to do besides waiting for one.
  int short_calls() const {
    return short_calls_.load(std::memory_order_relaxed);
  }
  void CountShortCall(int change) {
    short_calls_.fetch_add(change, std::memory_order_relaxed);
  }

  // The owner is gone: calls go on, and the link is closed after the last.
  void Release();

  grpc_connectivity_state GetState(bool try_to_connect);
  // Whether the state changed from `last` before the deadline.
  bool WaitForStateChange(grpc_connectivity_state last, absl::Time deadline);
  // Puts `tag` on `queue`: with ok when the state changed from `last`, without
  // when the deadline passed.
  void NotifyOnStateChange(grpc_connectivity_state last, gpr_timespec deadline,
                           grpc::CompletionQueue* queue, void* tag);

  // Sets of operations on the short path that are not complete before something
  // comes.
  void CountAwaiting(int change) {
    awaiting_.fetch_add(change, std::memory_order_relaxed);
  }
  bool IsAwaiting() const override {
    return awaiting_.load(std::memory_order_relaxed) > 0;
  }

  std::shared_ptr<CallHandler> OnCall(const std::shared_ptr<Call>&,
                                      wire::CallStart) override {
    return nullptr;  // servers only
  }
  void OnGoAway(Session* session) override;
  void OnClosed(Session* session, const absl::Status& status) override;

 private:
  // Tells, once, a completion queue of a change. A channel of gRPC's own does
  // it, which is made for this alone: its state changes when it is told to
  // connect.
  struct StateWatcher {
    grpc_connectivity_state last;
    absl::Time deadline;
    std::shared_ptr<grpc::Channel> teller;
  };

  // What is to be done once the lock is released.
  struct Effects {
    std::vector<std::shared_ptr<OutboundCall>> failed;
    absl::Status failure;
    std::vector<std::shared_ptr<OutboundCall>> started;
    std::shared_ptr<Session> session;  // that `started` go on
    std::vector<std::shared_ptr<grpc::Channel>> tellers;
    std::shared_ptr<Session> to_close;  // when it is idle
  };

  ClientChannel(std::string target, std::string name, absl::Status broken,
                const Options& options);

  void Connect(Effects* effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
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

  const std::string target_;
  const std::string name_;
  const absl::Status broken_;  // not OK: the target is no address
  const Options options_;

  // Relaxed: they steer who waits, and how.
  std::atomic<int> short_calls_{0};
  std::atomic<int> awaiting_{0};

  Mutex mu_;
  grpc_connectivity_state state_ ABSL_GUARDED_BY(mu_) = GRPC_CHANNEL_IDLE;
  CondVar state_changed_;
  std::vector<StateWatcher> watchers_ ABSL_GUARDED_BY(mu_);
  bool released_ ABSL_GUARDED_BY(mu_) = false;
  std::list<std::shared_ptr<OutboundCall>> waiting_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Session> session_ ABSL_GUARDED_BY(mu_);  // READY

  // The attempt under way.
  uint64_t attempt_ ABSL_GUARDED_BY(mu_) = 0;
  UniqueFd socket_ ABSL_GUARDED_BY(mu_);
  Reactor::SourceId source_ ABSL_GUARDED_BY(mu_) = 0;
  Reactor::TimerId handshake_timer_ ABSL_GUARDED_BY(mu_) = 0;

  // After a failed one.
  NameWatch name_watch_ ABSL_GUARDED_BY(mu_);
  Reactor::TimerId retry_timer_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Duration backoff_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_CLIENT_CHANNEL_H_
