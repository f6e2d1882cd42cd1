// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_SERVER_CALL_H_
#define GRPC_SHM_TRANSPORT_GRPC_SERVER_CALL_H_

#include <grpc/grpc.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/types/optional.h"
#include "proto/wire.pb.h"
#include "transport/call/call.h"
#include "transport/grpc/bridged_call.h"
#include "transport/grpc/completion.h"
#include "transport/grpc/convert.h"

namespace grpc_shm {

// One call of a client at the other end of a link, played again on an
// in-process channel of the server that serves it: the client side of an
// in-process gRPC call on one hand, the server side of a call on a link on the
// other. Any service works, whatever its API; gRPC hands the call to it as any
// other.
//
//   ring --> Call::Take        --> SEND_MESSAGE --[gRPC in-process]--> service
//   ring <-- Call::SendMessage <-- RECV_MESSAGE <--[gRPC in-process]-- service
//
// The status is asked for behind the last message: gRPC's in-process transport
// throws away a message that is not read yet when the status comes behind it,
// if somebody waits for the status already.
//
// Threads and ownership: as BridgedCall's.
class ServerCall : public BridgedCall {
 public:
  // `identity` goes to the service as the header field by which
  // PeerIdentity::From knows the client.
  ServerCall(std::shared_ptr<Call> call, const wire::CallStart& start,
             const std::string& identity, grpc::GenericStub* stub);
  ~ServerCall() override;

  void OnReadable() override { Pump(); }
  void OnAborted(const absl::Status& status) override;

 private:
  std::shared_ptr<ServerCall> self() {
    return std::static_pointer_cast<ServerCall>(shared_from_this());
  }

  void Pump();
  void OnWritten(bool ok);
  void OnInitialMetadata(bool ok);
  void OnEndOfMessages() override;
  void OnStatus(bool ok);

  grpc::ClientContext context_;  // owns the gRPC call
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> unused_;

  Completion<ServerCall, &ServerCall::OnWritten> written_;
  MetadataSlices request_metadata_;

  Completion<ServerCall, &ServerCall::OnInitialMetadata> initial_received_;
  grpc_metadata_array initial_metadata_;

  Completion<ServerCall, &ServerCall::OnStatus> status_received_;
  grpc_metadata_array trailing_metadata_;
  grpc_status_code status_ = GRPC_STATUS_UNKNOWN;
  grpc_slice status_details_ = grpc_empty_slice();

  bool begun_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool wrote_message_ ABSL_GUARDED_BY(mu_) = false;
  absl::optional<Received> stash_ ABSL_GUARDED_BY(mu_);  // taken, not given yet
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_SERVER_CALL_H_
