// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_CLIENT_CALL_H_
#define GRPC_SHM_TRANSPORT_GRPC_CLIENT_CALL_H_

#include <grpc/grpc.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "proto/wire.pb.h"
#include "transport/call/call.h"
#include "transport/grpc/bridged_call.h"
#include "transport/grpc/completion.h"
#include "transport/grpc/convert.h"
#include "transport/grpc/outbound_call.h"

namespace grpc_shm {

class ClientChannel;

// One call of this process's application, on its way to a server: the server
// side of an in-process gRPC call on one hand, the client side of a call on a
// link on the other. Moves bytes between the two; knows neither types nor
// methods.
//
//   application --[gRPC in-process]--> RECV_MESSAGE --> Call::SendMessage -->
//   ring application <--[gRPC in-process]-- SEND_MESSAGE <-- Call::Take <--
//   ring
//
// At most one operation of a kind is in flight: the next message is read from
// the application when the last one has left, and the next is given to it when
// it has taken the last. That is the whole of flow control here.
//
// Threads: any; operations complete on the application's threads, notifications
// come from the reactor's. Ownership: kept alive by its operations in flight,
// by its channel while it waits for a link, and by its Call.
class ClientCall : public BridgedCall, public OutboundCall {
 public:
  // What the channel knows about a call when the application makes it.
  struct Traits {
    bool wait_for_ready = false;
    // The application reads the answer and the status together, so they may be
    // given together.
    bool unary_response = false;
  };

  // Takes the call, and what gRPC said about it.
  ClientCall(grpc_call* call, std::shared_ptr<ClientChannel> channel,
             const Traits& traits, const grpc_call_details& details,
             const grpc_metadata_array& metadata);
  ~ClientCall() override;

  // Starts to watch for cancellation, and offers the call to the channel.
  void Begin();

  bool waits_for_ready() const override { return traits_.wait_for_ready; }
  std::shared_ptr<CallHandler> handler() override { return self(); }
  const wire::CallStart& Start() override;
  void OnStarted(std::shared_ptr<Call> call) override;
  void Fail(const absl::Status& status) override { OnAborted(status); }

  void OnReadable() override { Pump(); }
  void OnAborted(const absl::Status& status) override;

 private:
  std::shared_ptr<ClientCall> self() {
    return std::static_pointer_cast<ClientCall>(shared_from_this());
  }

  void OnEndOfMessages() override;
  void Pump();
  void OnWritten(bool ok);
  void OnClosed(bool ok);

  const std::shared_ptr<ClientChannel> channel_;
  const Traits traits_;
  wire::CallStart start_;
  const gpr_timespec deadline_;

  Completion<ClientCall, &ClientCall::OnClosed> closed_;
  int cancelled_ = 0;  // set by gRPC before OnClosed

  Completion<ClientCall, &ClientCall::OnWritten> written_;
  MetadataSlices written_initial_;  // these belong to the write in flight
  MetadataSlices written_trailing_;
  grpc_slice written_details_ = grpc_empty_slice();
  bool wrote_message_ = false;

  bool closed_by_application_ ABSL_GUARDED_BY(mu_) = false;
  bool sent_initial_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool answered_ ABSL_GUARDED_BY(mu_) = false;  // a message has come
  bool finished_ ABSL_GUARDED_BY(mu_) =
      false;  // the status is given, or the call is cancelled
  absl::optional<Received> stash_ ABSL_GUARDED_BY(mu_);  // taken, not given yet
  absl::optional<absl::Status> aborted_
      ABSL_GUARDED_BY(mu_);  // to be given as the status
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_CLIENT_CALL_H_
