// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/client_call.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>

#include <string>
#include <utility>

#include "transport/grpc/client_channel.h"

namespace grpc_shm {
namespace {

constexpr absl::string_view kInProcessAuthority = "inproc.authority";

}  // namespace

ClientCall::ClientCall(grpc_call* call, std::shared_ptr<ClientChannel> channel,
                       const Traits& traits, const grpc_call_details& details,
                       const grpc_metadata_array& metadata)
    : BridgedCall(call),
      channel_(std::move(channel)),
      traits_(traits),
      deadline_(details.deadline) {
  start_.set_method(std::string(View(details.method)));
  const absl::string_view authority = View(details.host);
  start_.set_authority(std::string(
      authority == kInProcessAuthority ? kDefaultAuthority : authority));
  ToWire(metadata, start_.mutable_metadata());
}

ClientCall::~ClientCall() {
  grpc_slice_unref(written_details_);
  grpc_call_unref(grpc_call_);
}

void ClientCall::Begin() {
  // First, so that a call that is closed already is not left waiting with the
  // channel.
  channel_->StartCall(self());
  grpc_op op{};
  op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
  op.data.recv_close_on_server.cancelled = &cancelled_;
  closed_.Start(self(), grpc_call_, &op, 1);
}

const wire::CallStart& ClientCall::Start() {
  const absl::Duration left = TimeLeft(deadline_);
  if (left != absl::InfiniteDuration())
    start_.set_timeout_ns(absl::ToInt64Nanoseconds(left));
  return start_;
}

void ClientCall::OnStarted(std::shared_ptr<Call> call) {
  {
    absl::MutexLock lock(&mu_);
    if (!closed_by_application_) link_call_ = call;
  }
  if (link_call() == nullptr) {
    call->Cancel();  // the application was quicker
    return;
  }
  ReadFromGrpc();
  FlushSoon();
  Pump();
  call->session()->EndLingering();
}

void ClientCall::OnEndOfMessages() {
  link_call()
      ->SendHalfClose();  // does nothing if it is rather the end of the call
  FlushSoon();
}

// Gives the application what has come, if it has taken what it was given
// before.
void ClientCall::Pump() {
  grpc_op ops[3] = {};
  size_t count = 0;
  grpc_byte_buffer* message = nullptr;
  {
    absl::MutexLock lock(&mu_);
    if (writing_ || finished_) return;

    absl::optional<wire::InitialMetadata> initial;
    absl::optional<wire::Trailers> trailers;
    if (aborted_.has_value()) {
      trailers = TrailersOf(*aborted_);
    }
    while (!trailers.has_value()) {
      absl::optional<Received> next = std::exchange(stash_, absl::nullopt);
      if (!next.has_value())
        next = link_call_ != nullptr ? link_call_->Take() : absl::nullopt;
      if (!next.has_value()) break;
      if (auto* metadata = absl::get_if<wire::InitialMetadata>(&*next)) {
        initial = std::move(*metadata);
      } else if (auto* last = absl::get_if<wire::Trailers>(&*next)) {
        // gRPC's in-process transport throws a message away that is not read
        // yet when the status comes behind it, if somebody waits for the
        // status: only who reads both in one go may be given both.
        if (message != nullptr && !traits_.unary_response) {
          stash_ = std::move(next);
          break;
        }
        trailers = std::move(*last);
      } else if (traits_.unary_response && (message != nullptr || answered_)) {
        trailers = TrailersOf(MoreThanOneAnswer());
      } else if (message != nullptr) {
        stash_ = std::move(next);
        break;
      } else if (auto* received = absl::get_if<ReceivedMessage>(&*next)) {
        message = ToByteBuffer(std::move(*received));
        answered_ = true;
      }
    }
    if (!initial.has_value() && message == nullptr && !trailers.has_value())
      return;

    if (!sent_initial_) {
      sent_initial_ = true;
      if (initial.has_value()) written_initial_.Assign(initial->metadata());
      grpc_op& op = ops[count++];
      op.op = GRPC_OP_SEND_INITIAL_METADATA;
      op.data.send_initial_metadata.metadata = written_initial_.data();
      op.data.send_initial_metadata.count = written_initial_.size();
    }
    if (message != nullptr) {
      wrote_message_ = true;
      grpc_op& op = ops[count++];
      op.op = GRPC_OP_SEND_MESSAGE;
      op.data.send_message.send_message = message;
    }
    if (trailers.has_value()) {
      finished_ = true;
      written_trailing_.Assign(trailers->metadata());
      written_details_ = ToSlice(trailers->message());
      grpc_op& op = ops[count++];
      op.op = GRPC_OP_SEND_STATUS_FROM_SERVER;
      op.data.send_status_from_server.status = ToStatusCode(trailers->code());
      op.data.send_status_from_server.status_details = &written_details_;
      op.data.send_status_from_server.trailing_metadata =
          written_trailing_.data();
      op.data.send_status_from_server.trailing_metadata_count =
          written_trailing_.size();
    }
    if (count == 0)
      return;  // initial metadata a second time: not what a server of ours does
    writing_ = true;
  }
  written_.Start(self(), grpc_call_, ops, count);
  if (message != nullptr)
    grpc_byte_buffer_destroy(message);  // the operation has its own reference
}

void ClientCall::OnWritten(bool /*ok*/) {
  std::shared_ptr<Call> consumed;
  {
    absl::MutexLock lock(&mu_);
    writing_ = false;
    written_initial_.Clear();
    if (std::exchange(wrote_message_, false)) consumed = link_call_;
  }
  if (consumed != nullptr) consumed->MessageConsumed();
  Pump();
}

void ClientCall::OnAborted(const absl::Status& status) {
  bool cancel = false;
  {
    absl::MutexLock lock(&mu_);
    if (finished_) return;
    aborted_ = status;
    if (writing_) {
      // The application may never take what it was given: take it back.
      finished_ = true;
      cancel = true;
    }
  }
  if (cancel) {
    grpc_call_cancel_with_status(
        grpc_call_, ToStatusCode(static_cast<int>(status.code())),
        std::string(status.message()).c_str(), nullptr);
  } else {
    Pump();
  }
}

// The call is over for the application: it has its status, cancelled, or ran
// into its deadline.
void ClientCall::OnClosed(bool /*ok*/) {
  std::shared_ptr<Call> call;
  {
    absl::MutexLock lock(&mu_);
    closed_by_application_ = true;
    finished_ = true;
    call = link_call_;
  }
  if (call != nullptr) {
    call->Cancel();  // does nothing if the server has ended it
  } else {
    channel_->ForgetCall(this);
  }
}

}  // namespace grpc_shm
