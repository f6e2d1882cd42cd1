// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_BRIDGED_CALL_H_
#define GRPC_SHM_TRANSPORT_GRPC_BRIDGED_CALL_H_

#include <grpc/grpc.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "transport/call/call.h"
#include "transport/grpc/completion.h"

namespace grpc_shm {

// What both ends of a bridge have in common: one side of an in-process gRPC
// call, joined to one side of a call on a link. Moves messages from the former
// to the latter:
//
//   [gRPC in-process] --> RECV_MESSAGE --> Call::SendMessage --> ring
//
// Large messages go one at a time: the next is read from gRPC when the last one
// has left. The derived classes do the rest.
//
// Threads: any. gRPC's operations complete on whichever thread completes them,
// notifications come from the reactor's. Ownership: kept alive by its
// operations in flight and by its Call.
class BridgedCall : public CallHandler,
                    public std::enable_shared_from_this<BridgedCall> {
 public:
  void OnSent() override;

 protected:
  explicit BridgedCall(grpc_call* call) : grpc_call_(call) {}

  // Reads the next message, sends it, and so on.
  void ReadFromGrpc();

  // gRPC has no more messages to send.
  virtual void OnEndOfMessages() = 0;

  // Flushes the link once gRPC has run what is due on this thread: what an
  // application or a handler gives in one go arrives as several operations in a
  // row, and is best seen by the peer all at once.
  void FlushSoon();

  std::shared_ptr<Call> link_call();

  grpc_call* grpc_call_;  // not owned

  absl::Mutex mu_;
  std::shared_ptr<Call> link_call_ ABSL_GUARDED_BY(mu_);

 private:
  void OnRead(bool ok);
  void OnSettled(bool ok);

  Completion<BridgedCall, &BridgedCall::OnRead> read_;
  grpc_byte_buffer* read_buffer_ = nullptr;
  int unsent_ ABSL_GUARDED_BY(mu_) = 0;  // messages given to the link
  bool reading_paused_ ABSL_GUARDED_BY(mu_) = false;  // until one has left

  Completion<BridgedCall, &BridgedCall::OnSettled> settled_;
  bool settling_ ABSL_GUARDED_BY(mu_) = false;
  bool unsettled_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_BRIDGED_CALL_H_
