// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/short_call.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/base/fork.h"
#include "transport/base/monotonic_clock.h"
#include "transport/grpc/client_channel.h"
#include "transport/grpc/completion_run.h"
#include "transport/grpc/convert.h"
#include "transport/grpc/received_body.h"
#include "transport/grpc/sent_message.h"
#include "transport/link/reactor.h"

namespace grpc_shm {
namespace {

using Point = grpc::experimental::InterceptionHookPoints;
using Methods = grpc::experimental::InterceptorBatchMethods;
using ReceivedMetadata = std::multimap<grpc::string_ref, grpc::string_ref>;

grpc::string_ref Ref(const std::string& text) {
  return grpc::string_ref(text.data(), text.size());
}

// `from` must outlive `to`.
void Give(const google::protobuf::RepeatedPtrField<wire::Metadatum>& from,
          ReceivedMetadata* to) {
  for (const wire::Metadatum& field : from) {
    if (IsUserMetadata(field.key(), field.value()))
      to->emplace(Ref(field.key()), Ref(field.value()));
  }
}

}  // namespace

ShortCall::ShortCall(std::shared_ptr<ClientChannel> channel, Traits traits)
    : channel_(std::move(channel)), traits_(std::move(traits)) {
  const absl::Duration left = TimeLeft(traits_.deadline);
  if (left != absl::InfiniteDuration())
    deadline_ = MonotonicNanos() + absl::ToInt64Nanoseconds(left);
}

ShortCall::~ShortCall() {
  if (timeout_ != Timeouts::Id()) Timeouts::Get().Remove(timeout_);
}

// ---- From the application

bool ShortCall::Perform(const TakenOperations& operations,
                        Session::Completion* done) {
  Effects effects;
  bool left_to_caller = false;
  {
    MutexLock lock(&mu_);
    TakeOver(operations, done, &effects);
    Advance(&effects);
  }
  if (operations.shown_again() == ShownAgain::kNo && done == nullptr) {
    for (size_t i = 0; i < effects.count; ++i) {
      Effects::Complete& complete = effects.complete[i];
      if (complete.operations.methods() != operations.methods()) continue;
      complete.left_to_caller = left_to_caller = true;
    }
  }
  Do(std::move(effects));
  return left_to_caller;
}

void ShortCall::TakeOver(const TakenOperations& operations,
                         Session::Completion* done, Effects* effects) {
  Methods* const methods = operations.methods();
  const auto has = [methods](Point point) {
    return methods->QueryInterceptionHookPoint(point);
  };
  Batch& batch = *std::find_if(batches_.begin(), batches_.end(),
                               [](const Batch& each) { return !each.used; });
  batch.used = true;
  batch.operations = operations;
  batch.event = done;
  under_way_.fetch_add(1, std::memory_order_relaxed);
  batch.initial_metadata = has(Point::PRE_RECV_INITIAL_METADATA);
  batch.message = has(Point::PRE_RECV_MESSAGE);
  batch.status = has(Point::PRE_RECV_STATUS);
  // gRPC shows this again with later operations of the same object.
  if (has(Point::PRE_SEND_INITIAL_METADATA) && !started_) {
    started_ = true;
    start_.set_method(traits_.method);
    start_.set_authority(traits_.authority);
    ToWire(*methods->GetSendInitialMetadata(), start_.mutable_metadata());
    effects->start = !trailers_.has_value();
  }
  if (has(Point::PRE_SEND_MESSAGE)) {
    OutgoingMessage message = TakeSent(methods, /*may_borrow=*/done != nullptr);
    // Who waits for the answer need not wait for this as well.
    batch.send = !batch.status;
    Send(std::move(message), effects);
  }
  if (has(Point::PRE_SEND_CLOSE)) {
    half_closed_ = true;
    if (link_call_ != nullptr) {
      link_call_->SendHalfClose();
      effects->flush = true;
    }
  }
}

void ShortCall::Send(OutgoingMessage message, Effects* effects) {
  if (trailers_.has_value()) return;
  const int64_t limit = traits_.max_send_message_bytes;
  if (limit >= 0 && message.size() > static_cast<uint64_t>(limit)) {
    // The words are gRPC's own.
    AbortLocked(absl::ResourceExhaustedError(
                    absl::StrCat("Sent message larger than max (",
                                 message.size(), " vs. ", limit, ")")),
                effects);
    return;
  }
  ++unsent_;
  last_message_bytes_ = message.size();
  if (link_call_ != nullptr) {
    link_call_->SendMessage(std::move(message));
    effects->flush = true;
  } else {
    early_messages_.push_back(std::move(message));
  }
}

void ShortCall::Cancel() {
  // gRPC holds a lock of the application's context, which must not be taken
  // again when the operations complete.
  Reactor::Get().Post([self = shared_from_this()] {
    self->OnAborted(absl::CancelledError("CANCELLED"));
  });
}

void ShortCall::Abandon() {
  if (IsForkedChild()) return;  // the parent's, or nothing is under way
  Effects effects;
  {
    MutexLock lock(&mu_);
    AbortLocked(absl::CancelledError("CANCELLED"), &effects);
  }
  Do(std::move(effects));
}

// ---- From the channel

const wire::CallStart& ShortCall::Start() {
  if (deadline_ != 0) start_.set_timeout_ns(deadline_ - MonotonicNanos());
  return start_;
}

absl::optional<OutgoingMessage> ShortCall::TakeRequest(size_t most_bytes) {
  MutexLock lock(&mu_);
  if (!half_closed_ || early_messages_.size() != 1 ||
      early_messages_.front().size() > most_bytes)
    return absl::nullopt;
  OutgoingMessage request = std::move(early_messages_.front());
  early_messages_.clear();
  --unsent_;
  request_taken_ = true;
  return request;
}

void ShortCall::OnStarted(std::shared_ptr<Call> call) {
  Effects effects;
  {
    MutexLock lock(&mu_);
    link_call_ = std::move(call);
    effects.flush = !request_taken_;  // else there is nothing to send
    if (trailers_.has_value()) {
      effects.cancel = true;  // the application was quicker
    } else {
      for (OutgoingMessage& message : early_messages_)
        link_call_->SendMessage(std::move(message));
      if (half_closed_ && !request_taken_) link_call_->SendHalfClose();
    }
    early_messages_.clear();
    Advance(&effects);  // it may have been answered already
  }
  Do(std::move(effects));
}

// ---- From the link

void ShortCall::OnReadable() {
  Effects effects;
  {
    MutexLock lock(&mu_);
    Advance(&effects);
  }
  Do(std::move(effects));
}

void ShortCall::OnSent() {
  Effects effects;
  {
    MutexLock lock(&mu_);
    --unsent_;
    const bool awaited =
        std::any_of(batches_.begin(), batches_.end(),
                    [](const Batch& each) { return each.used && each.send; });
    if (!awaited) return;
    Advance(&effects);
  }
  Do(std::move(effects));
}

void ShortCall::OnAborted(const absl::Status& status) {
  Effects effects;
  {
    MutexLock lock(&mu_);
    AbortLocked(status, &effects);
    Advance(&effects);
  }
  Do(std::move(effects));
}

void ShortCall::OnExpired() {
  OnAborted(absl::DeadlineExceededError("Deadline Exceeded"));
}

void ShortCall::AbortLocked(const absl::Status& status, Effects* effects) {
  if (trailers_.has_value()) return;
  trailers_ = TrailersOf(status);
  is_open_.store(false, std::memory_order_relaxed);
  message_.reset();
  early_messages_.clear();  // they may be the application's
  effects->cancel = true;
}

// ---- What comes of it

// Does what can be done of all operations under way.
void ShortCall::Advance(Effects* effects) {
  Receive(effects);
  // First the message: the status may come right behind it.
  for (Batch& batch : batches_) {
    if (batch.used && batch.message)
      batch.message = !ReceiveMessage(&batch, effects);
  }
  for (Batch& batch : batches_) {
    if (!batch.used) continue;
    Methods* const methods = batch.operations.methods();
    if (batch.initial_metadata && initial_metadata_.has_value()) {
      batch.initial_metadata = false;
      Give(initial_metadata_->metadata(), methods->GetRecvInitialMetadata());
    }
    if (batch.status && trailers_.has_value() && !batch.message)
      GiveStatus(&batch);
    if (batch.send && IsSent()) {
      batch.send = false;
      if (trailers_.has_value() ||
          (link_call_ != nullptr && link_call_->over()))
        batch.operations.FailSend();
    }
    if (!batch.done()) continue;
    batch.used = false;
    effects->complete[effects->count++] = {batch.operations, batch.event,
                                           batch.event != nullptr};
  }
}

// Takes what has come, up to a message that nobody has asked for yet.
void ShortCall::Receive(Effects* effects) {
  while (link_call_ != nullptr && !trailers_.has_value() &&
         !message_.has_value()) {
    absl::optional<Received> next = link_call_->Take();
    if (!next.has_value()) break;
    if (auto* initial = absl::get_if<wire::InitialMetadata>(&*next)) {
      if (!initial_metadata_.has_value())
        initial_metadata_ = std::move(*initial);
    } else if (auto* message = absl::get_if<ReceivedMessage>(&*next)) {
      if (std::exchange(answered_, true) && traits_.unary_response) {
        AbortLocked(MoreThanOneAnswer(), effects);
        break;
      }
      message_ = std::move(*message);
    } else if (auto* trailers = absl::get_if<wire::Trailers>(&*next)) {
      trailers_ = std::move(*trailers);
      is_open_.store(false, std::memory_order_relaxed);
    }
  }
  // What comes without is understood as empty.
  if (message_.has_value() || trailers_.has_value()) {
    if (!initial_metadata_.has_value()) initial_metadata_.emplace();
  }
}

// False if the message is still to come.
bool ShortCall::ReceiveMessage(Batch* batch, Effects* effects) {
  if (message_.has_value()) {
    GiveReceived(*std::move(message_), batch->operations,
                 link_call_->session().get());
    message_.reset();
    if (!traits_.unary_response) effects->consumed = link_call_;
    Receive(effects);
    return true;
  }
  if (!trailers_.has_value()) return false;
  batch->operations.methods()->FailHijackedRecvMessage();
  return true;
}

void ShortCall::GiveStatus(Batch* batch) {
  batch->status = false;
  Methods* const methods = batch->operations.methods();
  Give(trailers_->metadata(), methods->GetRecvTrailingMetadata());
  if (trailers_->code() == 0) {
    *methods->GetRecvStatus() = grpc::Status();
    return;
  }
  std::string details;
  for (const wire::Metadatum& field : trailers_->metadata()) {
    if (field.key() == kBinaryErrorDetailsKey) details = field.value();
  }
  *methods->GetRecvStatus() = grpc::Status(
      static_cast<grpc::StatusCode>(ToStatusCode(trailers_->code())),
      trailers_->message(), details);
}

// Whether the application may write on.
bool ShortCall::IsSent() const {
  return MayRunAhead(unsent_, last_message_bytes_) || trailers_.has_value() ||
         (link_call_ != nullptr && link_call_->over());
}

void ShortCall::Do(Effects effects) {
  if (IsForkedChild()) {
    // The link is the parent's, and so is the channel.
    effects.start = effects.cancel = effects.flush = false;
    effects.consumed = nullptr;
  }
  if (effects.start) {
    if (deadline_ != 0) {
      if (deadline_ <= MonotonicNanos()) {
        OnExpired();
      } else {
        timeout_ = Timeouts::Get().Add(deadline_, weak_from_this());
      }
    }
    channel_->StartCall(shared_from_this());
  }
  if (effects.cancel || effects.flush || effects.consumed != nullptr) {
    std::shared_ptr<Call> call;
    bool started;
    {
      MutexLock lock(&mu_);
      call = link_call_;
      started = started_;
    }
    if (effects.consumed != nullptr) effects.consumed->MessageConsumed();
    if (call != nullptr) {
      if (effects.cancel) call->Cancel();
      if (effects.flush) call->Flush();
    } else if (effects.cancel && started) {
      channel_->ForgetCall(this);
    }
  }
  // The application may end the call at once.
  for (size_t i = 0; i < effects.count; ++i) {
    under_way_.fetch_sub(1, std::memory_order_release);
    const Effects::Complete& complete = effects.complete[i];
    if (complete.operations.shown_again() == ShownAgain::kYes) {
      CompletionRun::Complete(channel_.get(), complete.operations);
    } else if (!complete.left_to_caller) {
      complete.operations.Complete();
    }
    if (complete.event != nullptr) complete.event->Happen();
  }
}

}  // namespace grpc_shm
