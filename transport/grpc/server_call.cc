// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/server_call.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>

#include <utility>

#include "transport/grpc/peer_registry.h"

namespace grpc_shm {

ServerCall::ServerCall(std::shared_ptr<Call> call, const wire::CallStart& start,
                       const std::string& identity, grpc::GenericStub* stub)
    : BridgedCall(nullptr) {
  grpc_metadata_array_init(&initial_metadata_);
  grpc_metadata_array_init(&trailing_metadata_);
  if (start.has_timeout_ns()) {
    context_.set_deadline(
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                     gpr_time_from_nanos(start.timeout_ns(), GPR_TIMESPAN)));
  }
  context_.set_authority(start.authority());
  unused_ = stub->PrepareCall(&context_, start.method(), WrappedInlineQueue());
  grpc_call_ = context_.c_call();
  request_metadata_.Assign(start.metadata());
  request_metadata_.Append(kPeerIdentityKey, identity);
  absl::MutexLock lock(&mu_);
  link_call_ = std::move(call);
}

ServerCall::~ServerCall() {
  grpc_metadata_array_destroy(&initial_metadata_);
  grpc_metadata_array_destroy(&trailing_metadata_);
  grpc_slice_unref(status_details_);
}

// Gives the service what has come, if it has taken what it was given before.
void ServerCall::Pump() {
  grpc_op ops[3] = {};
  size_t count = 0;
  grpc_byte_buffer* message = nullptr;
  bool begin;
  {
    absl::MutexLock lock(&mu_);
    if (writing_) return;
    begin = !std::exchange(begun_, true);
    if (begin) {
      grpc_op& op = ops[count++];
      op.op = GRPC_OP_SEND_INITIAL_METADATA;
      op.data.send_initial_metadata.metadata = request_metadata_.data();
      op.data.send_initial_metadata.count = request_metadata_.size();
    }
    for (;;) {
      absl::optional<Received> next = std::exchange(stash_, absl::nullopt);
      if (!next.has_value()) next = link_call_->Take();
      if (!next.has_value()) break;
      if (auto* received = absl::get_if<ReceivedMessage>(&*next)) {
        if (message != nullptr) {
          stash_ = std::move(next);
          break;
        }
        message = ToByteBuffer(std::move(*received));
        grpc_op& op = ops[count++];
        op.op = GRPC_OP_SEND_MESSAGE;
        op.data.send_message.send_message = message;
      } else {  // HalfClose
        ops[count++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
        break;
      }
    }
    if (count == 0) return;
    writing_ = true;
    wrote_message_ = message != nullptr;
  }
  if (begin) {
    // First what is to be received, then what is sent: the service's thread
    // wakes at the latter, and would get in the way of the former.
    grpc_op op{};
    op.op = GRPC_OP_RECV_INITIAL_METADATA;
    op.data.recv_initial_metadata.recv_initial_metadata = &initial_metadata_;
    initial_received_.Start(self(), grpc_call_, &op, 1);
    ReadFromGrpc();
  }
  written_.Start(self(), grpc_call_, ops, count);
  // The operation has its own reference.
  if (message != nullptr) grpc_byte_buffer_destroy(message);
}

void ServerCall::OnWritten(bool /*ok*/) {
  std::shared_ptr<Call> consumed;
  {
    absl::MutexLock lock(&mu_);
    writing_ = false;
    if (std::exchange(wrote_message_, false)) consumed = link_call_;
  }
  if (consumed != nullptr) consumed->MessageConsumed();
  Pump();
}

void ServerCall::OnInitialMetadata(bool ok) {
  if (!ok) return;  // the status tells why
  wire::InitialMetadata initial;
  ToWire(initial_metadata_, initial.mutable_metadata());
  link_call()->SendInitialMetadata(initial);
  FlushSoon();
}

void ServerCall::OnEndOfMessages() {
  grpc_op op{};
  op.op = GRPC_OP_RECV_STATUS_ON_CLIENT;
  op.data.recv_status_on_client.trailing_metadata = &trailing_metadata_;
  op.data.recv_status_on_client.status = &status_;
  op.data.recv_status_on_client.status_details = &status_details_;
  status_received_.Start(self(), grpc_call_, &op, 1);
}

void ServerCall::OnStatus(bool /*ok*/) {
  wire::Trailers trailers;
  trailers.set_code(status_);
  trailers.set_message(std::string(View(status_details_)));
  ToWire(trailing_metadata_, trailers.mutable_metadata());
  link_call()->SendTrailers(trailers);
  FlushSoon();
}

void ServerCall::OnAborted(const absl::Status& status) {
  grpc_call_cancel_with_status(grpc_call_,
                               ToStatusCode(static_cast<int>(status.code())),
                               std::string(status.message()).c_str(), nullptr);
}

}  // namespace grpc_shm
