// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_CLIENT_CHANNEL_H_
#define GRPC_SHM_TRANSPORT_GRPC_CLIENT_CHANNEL_H_

#include <grpc/grpc.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "transport/call/session.h"
#include "transport/grpc/connectivity.h"
#include "transport/grpc/outbound_call.h"
#include "transport/link/link_options.h"
#include "transport/link/spinner.h"

namespace grpc_shm {

// The calls of one channel, whatever its address: gets them to a server. With
// an address or options that are none every call fails, at once.
//
// Threads: any. Lifetime: as long as its owner or a call needs it.
class ClientChannel {
 public:
  struct Options {
    absl::Status invalid;  // not OK: no call can be made with these
    LinkOptions link;
    int64_t max_receive_message_bytes = -1;  // -1: no limit
    size_t max_metadata_bytes = SessionOptions().max_metadata_bytes;
    size_t max_buffered_bytes = SessionOptions().max_buffered_bytes;
    absl::Duration handshake_timeout =
        absl::Seconds(20);  // a server may be stopped, or busy
    absl::Duration max_reconnect_backoff = absl::Seconds(30);
    SpinPolicy wait_policy = SpinPolicy::kAdaptive;
    bool fails_when_full = false;  // of a mailbox: rather than wait
  };

  ClientChannel(const ClientChannel&) = delete;
  ClientChannel& operator=(const ClientChannel&) = delete;
  virtual ~ClientChannel() = default;

  // Puts the call on a link, or lets it wait for one, or fails it.
  void StartCall(const std::shared_ptr<OutboundCall>& call) {
    if (broken_.ok()) {
      DoStartCall(call);
    } else {
      call->Fail(broken_);
    }
  }

  // The application gave up a call that is not on a link yet.
  virtual void ForgetCall(const OutboundCall* call) = 0;

  // What somebody who waits for an answer should read; null if there is
  // nothing. Adds to `others`, unless that is null, where an answer may come
  // instead.
  virtual std::shared_ptr<Session> session(
      std::vector<std::shared_ptr<Session>>* others) = 0;

  // The owner is gone: calls go on, and links are closed after the last.
  virtual void Release() = 0;

  virtual grpc_connectivity_state GetState(bool try_to_connect) = 0;
  Connectivity& connectivity() { return connectivity_; }

  // Calls on the short path that the application has not destroyed, ended or
  // not: how much it may have to do besides waiting for one.
  int short_calls() const {
    return short_calls_.load(std::memory_order_relaxed);
  }
  void CountShortCall(int change) {
    short_calls_.fetch_add(change, std::memory_order_relaxed);
  }

  // Operations of these calls that are complete, and that an asynchronous
  // application has not taken from its queues yet: what it does before it
  // waits. Returns how many there are with that change.
  int CountUntaken(int change) {
    return untaken_->fetch_add(change, std::memory_order_relaxed) + change;
  }
  bool HasUntaken() const {
    return untaken_->load(std::memory_order_relaxed) > 0;
  }

 protected:
  // `name` is what is said of the target by who can tell addresses.
  ClientChannel(std::string target, absl::StatusOr<std::string> name,
                const Options& options);

  virtual void DoStartCall(const std::shared_ptr<OutboundCall>& call) = 0;

  const std::string& target() const { return target_; }
  const std::string& name() const { return name_; }  // "": there is none
  const Options& options() const { return options_; }

  // Of a link to a server.
  SessionOptions NewSessionOptions() const;
  std::shared_ptr<const std::atomic<int>> untaken() const { return untaken_; }

 private:
  const std::string target_;
  const std::string name_;
  const Options options_;
  const absl::Status broken_;  // not OK: why no call can be made
  Connectivity connectivity_;

  // Relaxed: both steer who waits.
  std::atomic<int> short_calls_{0};
  const std::shared_ptr<std::atomic<int>> untaken_ =
      std::make_shared<std::atomic<int>>(0);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_CLIENT_CHANNEL_H_
