// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_SHORT_CALL_H_
#define GRPC_SHM_TRANSPORT_GRPC_SHORT_CALL_H_

#include <grpc/grpc.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/interceptor.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "proto/wire.pb.h"
#include "transport/base/mutex.h"
#include "transport/call/call.h"
#include "transport/call/session.h"
#include "transport/grpc/grpc_access.h"
#include "transport/grpc/outbound_call.h"
#include "transport/link/timeouts.h"

namespace grpc_shm {

class ClientChannel;

// One call of this process's application on the short path: its operations are
// taken over before they reach gRPC's core, and performed on the link.
//
//   application's operations --> Call::SendMessage --> ring
//   application's operations <-- Call::Take        <-- ring
//
// A set of operations completes when all of them are done, on the thread that
// finds that out.
//
// Threads: any; operations come from the application's threads, notifications
// from whoever drives the session. Ownership: shared by the call's interceptor,
// which lives as long as the application's ClientContext, by its Call, and by
// its channel while it waits for a link.
class ShortCall final : public CallHandler,
                        public OutboundCall,
                        public Expirable,
                        public std::enable_shared_from_this<ShortCall> {
 public:
  // What the channel knows about the call.
  struct Traits {
    std::string method;
    std::string authority;
    bool wait_for_ready = false;
    bool unary_response = false;
    gpr_timespec deadline;
    int64_t max_send_message_bytes = -1;  // -1: no limit
  };

  ShortCall(std::shared_ptr<ClientChannel> channel, Traits traits);
  ~ShortCall() override;

  // Performs what an interceptor has taken over, and has it complete when it is
  // done, on the thread that finds that out. Not so operations that are shown
  // once, which the caller completes: those that are done already, if true is
  // returned; and those with `done`, which happens then, and must live so long.
  bool Perform(const TakenOperations& operations, Session::Completion* done);

  // Whether no operations are under way.
  bool IsIdle() const {
    return under_way_.load(std::memory_order_acquire) == 0;
  }

  // Whether more may come.
  bool IsOpen() const { return is_open_.load(std::memory_order_relaxed); }

  // The application cancels the call; or is done with it, complete or not.
  void Cancel();
  void Abandon();

  bool waits_for_ready() const override { return traits_.wait_for_ready; }
  std::shared_ptr<CallHandler> handler() override { return shared_from_this(); }
  const wire::CallStart& Start() override;
  absl::optional<OutgoingMessage> TakeRequest(size_t most_bytes) override;
  void OnStarted(std::shared_ptr<Call> call) override;
  void Fail(const absl::Status& status) override { OnAborted(status); }

  void OnReadable() override;
  void OnSent() override;
  void OnAborted(const absl::Status& status) override;
  void OnExpired() override;

 private:
  // A set of operations under way, and which of them are not done.
  struct Batch {
    bool used = false;
    bool initial_metadata = false;
    bool message = false;
    bool status = false;
    bool send = false;
    TakenOperations operations;
    Session::Completion* event = nullptr;

    bool done() const {
      return !initial_metadata && !message && !status && !send;
    }
  };
  // One each that sends, reads, waits for initial metadata and finishes.
  using Batches = std::array<Batch, 4>;

  // What is to be done once the lock is released.
  struct Effects {
    struct Complete {
      TakenOperations operations;
      Session::Completion* event = nullptr;
      bool left_to_caller = false;
    };
    std::array<Complete, 4> complete;
    size_t count = 0;
    bool start = false;  // the call
    bool flush = false;
    bool cancel = false;             // on the link
    std::shared_ptr<Call> consumed;  // a message
  };

  void TakeOver(const TakenOperations& operations, Session::Completion* done,
                Effects* effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Send(OutgoingMessage message, Effects* effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Advance(Effects* effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Receive(Effects* effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool ReceiveMessage(Batch* batch, Effects* effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void GiveStatus(Batch* batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsSent() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AbortLocked(const absl::Status& status, Effects* effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Do(Effects effects);

  const std::shared_ptr<ClientChannel> channel_;
  const Traits traits_;
  wire::CallStart start_;  // the channel's, once it knows the call
  int64_t deadline_ = 0;   // MonotonicNanos; 0: none
  Timeouts::Id timeout_{};

  // Sets of operations that are not complete.
  std::atomic<int> under_way_{0};

  std::atomic<bool> is_open_{true};  // no trailers yet; a hint

  Mutex mu_;
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  std::shared_ptr<Call> link_call_ ABSL_GUARDED_BY(mu_);
  Batches batches_ ABSL_GUARDED_BY(mu_);

  // Before there is a link.
  std::vector<OutgoingMessage> early_messages_ ABSL_GUARDED_BY(mu_);
  bool half_closed_ ABSL_GUARDED_BY(mu_) = false;
  bool request_taken_ ABSL_GUARDED_BY(mu_) = false;

  int unsent_ ABSL_GUARDED_BY(mu_) = 0;  // messages given to the link
  size_t last_message_bytes_ ABSL_GUARDED_BY(mu_) = 0;

  // What was received and the application may still refer to.
  absl::optional<wire::InitialMetadata> initial_metadata_ ABSL_GUARDED_BY(mu_);
  absl::optional<wire::Trailers> trailers_ ABSL_GUARDED_BY(mu_);
  absl::optional<ReceivedMessage> message_
      ABSL_GUARDED_BY(mu_);                     // not given yet
  bool answered_ ABSL_GUARDED_BY(mu_) = false;  // a message has come
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_SHORT_CALL_H_
