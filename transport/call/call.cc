// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/call/call.h"

#include <string>
#include <utility>

#include "transport/call/session.h"
#include "transport/call/session_internal.h"

namespace grpc_shm {
namespace {

// How many messages may wait to leave, of at most how many bytes each.
constexpr int kMaxUnsent = 16;
constexpr size_t kMaxUnsentBytes = 4096;

}  // namespace

wire::Trailers TrailersOf(const absl::Status& status) {
  wire::Trailers trailers;
  trailers.set_code(static_cast<int32_t>(status.code()));
  trailers.set_message(std::string(status.message()));
  return trailers;
}

bool MayRunAhead(int unsent, size_t last_bytes) {
  return unsent == 0 || (last_bytes <= kMaxUnsentBytes && unsent < kMaxUnsent);
}

Call::Call(std::shared_ptr<Session> session, uint64_t id, uint32_t window,
           std::shared_ptr<CallHandler> handler)
    : session_(std::move(session)),
      id_(id),
      handler_(std::move(handler)),
      send_window_(window),
      receive_window_(window) {
  session_->living_calls_.fetch_add(1, std::memory_order_relaxed);
}

Call::~Call() {
  session_->living_calls_.fetch_sub(1, std::memory_order_relaxed);
  session_->buffered_.fetch_sub(buffered_, std::memory_order_relaxed);
}

bool Call::over() const {
  MutexLock lock(&session_->mu_);
  return over_;
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): it is kept.
bool Call::Attach(std::shared_ptr<CallHandler> handler) {
  absl::optional<absl::Status> aborted;
  {
    MutexLock lock(&session_->mu_);
    if (!over_) handler_ = handler;
    aborted = aborted_;
  }
  if (aborted.has_value()) handler->OnAborted(*aborted);
  return !aborted.has_value();
}

void Call::Accept(absl::optional<ReceivedMessage> request) {
  MutexLock lock(&session_->mu_);
  if (over_) return;
  session_->QueueFrame(this, FrameType::kAccept, std::string());
  if (!request.has_value()) return;
  // It was not charged to the window.
  ++backlog_;
  const uint64_t bytes = BufferedBytes(request->size());
  buffered_ += bytes;
  session_->buffered_.fetch_add(bytes, std::memory_order_relaxed);
  incoming_.push_back({*std::move(request), 0});
  incoming_.push_back({HalfClose{}, 0});
}

void Call::Decline() {
  Session::Notifications notifications;
  {
    MutexLock lock(&session_->mu_);
    if (!over_) session_->End(this, &notifications);
  }
  session_->CloseIfIdle();
}

void Call::SendInitialMetadata(const wire::InitialMetadata& metadata) {
  std::string payload = metadata.SerializeAsString();
  if (payload.size() > session_->max_payload_) {
    SendTrailers(
        TrailersOf(TooMuchMetadata(payload.size(), session_->max_payload_)));
    return;
  }
  MutexLock lock(&session_->mu_);
  if (over_) return;
  session_->QueueFrame(this, FrameType::kInitialMetadata, std::move(payload));
}

void Call::SendMessage(OutgoingMessage message) {
  MutexLock lock(&session_->mu_);
  if (over_) return;
  outgoing_.push_back({FrameType::kMessage, std::move(message)});
  session_->Schedule(this);
}

bool Call::KeepMessages() {
  bool kept = true;
  bool held = false;
  {
    MutexLock lock(&session_->mu_);
    while (kept) {
      OutgoingFrame* const frame =
          outgoing_.Find([](const OutgoingFrame& each) {
            const auto* message = absl::get_if<OutgoingMessage>(&each.payload);
            return message != nullptr && message->is_borrowed();
          });
      if (frame == nullptr) break;
      // Others are not to wait for the copy. What is held stays where it is,
      // until the call is over.
      auto message = std::move(absl::get<OutgoingMessage>(frame->payload));
      held = frame->held = true;
      session_->mu_.Unlock();
      kept = message.Keep();
      session_->mu_.Lock();
      if (over_) return true;
      frame->held = false;
      frame->payload = std::move(message);
    }
    if (!kept) outgoing_.clear();
    if (held) session_->Schedule(this);
  }
  if (held) Flush();
  return kept;
}

void Call::SendHalfClose() {
  MutexLock lock(&session_->mu_);
  if (over_) return;
  session_->QueueFrame(this, FrameType::kHalfClose, std::string());
}

void Call::SendTrailers(const wire::Trailers& trailers) {
  std::string payload = trailers.SerializeAsString();
  if (payload.size() > session_->max_payload_) {
    payload =
        TrailersOf(TooMuchMetadata(payload.size(), session_->max_payload_))
            .SerializeAsString();
  }
  MutexLock lock(&session_->mu_);
  if (over_) return;
  session_->QueueFrame(this, FrameType::kTrailers, std::move(payload));
}

void Call::Cancel() {
  Session::Notifications
      notifications;  // drops the handler, after the lock is released
  {
    MutexLock lock(&session_->mu_);
    if (over_) return;
    session_->End(this, &notifications);
    if (opened_) {
      cancelled_ = true;
      session_->Schedule(this);
    }
  }
  Flush();
}

void Call::Flush() { session_->Flush(); }

absl::optional<Received> Call::Take() {
  MutexLock lock(&session_->mu_);
  if (incoming_.empty()) return absl::nullopt;
  IncomingItem next = std::move(incoming_.front());
  incoming_.pop_front();
  if (const auto* message = absl::get_if<ReceivedMessage>(&next.item)) {
    taken_owed_.push_back(next.owed);
    const uint64_t bytes = BufferedBytes(message->size());
    buffered_ -= bytes;
    session_->buffered_.fetch_sub(bytes, std::memory_order_relaxed);
  }
  return std::move(next.item);
}

void Call::MessageConsumed() {
  bool flush;
  {
    MutexLock lock(&session_->mu_);
    if (over_) return;
    --backlog_;
    uint32_t credit = taken_owed_.front();
    taken_owed_.pop_front();
    if (backlog_ == 0) credit += std::exchange(assembly_owed_, 0);
    session_->AddCredit(this, credit);
    flush = scheduled_;
  }
  if (flush) Flush();
}

}  // namespace grpc_shm
