// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// How a session writes: calls take turns of one frame each.

#include <sched.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/base/fork.h"
#include "transport/base/monotonic_clock.h"
#include "transport/call/session.h"
#include "transport/call/session_internal.h"

namespace grpc_shm {
namespace {

// How long a sleeping peer may be left asleep by a thread that is about to have
// more for it. Raising it saves wake-ups, and delays answers that are ready.
constexpr int64_t kLongestDeferralNanos = 20'000;

}  // namespace

thread_local const Session* Session::deferring_ = nullptr;
thread_local uint64_t Session::quick_job_ = 0;

void Session::Flush() {
  if (IsForkedChild()) return;  // the ring is the parent's
  Notifications notifications;
  bool broken = false;
  {
    MutexLock lock(&mu_);
    if (link_ != nullptr) {
      WriteScheduled(&notifications);
      broken = link_->producer().broken();
    }
  }
  notifications.Run(this);
  if (broken) {
    Close(absl::UnavailableError(
        absl::StrCat(options_.address, ": the peer (pid ", peer_.pid,
                     ") broke the link protocol: its ring index is "
                     "impossible")));
  }
  CloseIfIdle();
}

void Session::WriteScheduled(Notifications* notifications) {
  if (full_.load(std::memory_order_relaxed)) full_.store(false);
  if (!go_away_.empty()) {
    if (WriteFrame(FrameType::kGoAway, 0, go_away_.data(), go_away_.size()) ==
        WriteResult::kFull)
      return;
    go_away_.clear();
  }
  while (!scheduled_.empty()) {
    const std::shared_ptr<Call> call = scheduled_.front();
    const WriteResult result = WriteOne(call.get(), notifications);
    if (result == WriteResult::kFull) break;
    scheduled_.pop_front();
    if (result == WriteResult::kWritten) {
      scheduled_.push_back(call);  // its next turn, after everybody else's
    } else {
      call->scheduled_ = false;
    }
  }
  Publish();
}

Session::WriteResult Session::WriteOne(Call* call,
                                       Notifications* notifications) {
  if (call->cancelled_) {
    const WriteResult result =
        WriteFrame(FrameType::kCancel, call->id_, nullptr, 0);
    if (result == WriteResult::kWritten) call->cancelled_ = false;
    return result;
  }
  if (!call->over_ && call->credit_due_ >= window_ / 2) {
    const CreditPayload credit{call->credit_due_};
    const WriteResult result =
        WriteFrame(FrameType::kCredit, call->id_, &credit, sizeof(credit));
    if (result == WriteResult::kWritten) {
      call->receive_window_ += call->credit_due_;
      call->credit_due_ = 0;
    }
    return result;
  }
  if (call->outgoing_.empty()) return WriteResult::kNothing;
  Call::OutgoingFrame& frame = call->outgoing_.front();
  if (frame.held) return WriteResult::kNothing;
  if (frame.type == FrameType::kMessage)
    return WriteMessage(call, notifications);
  const std::string& payload = absl::get<std::string>(frame.payload);
  const FrameType type = frame.type;
  const WriteResult result =
      WriteFrame(type, call->id_, payload.data(), payload.size());
  if (result == WriteResult::kWritten) {
    if (type == FrameType::kCall) call->opened_ = true;
    if (type == FrameType::kTrailers) {
      End(call, notifications);
    } else {
      call->outgoing_.pop_front();
    }
  }
  return result;
}

Session::WriteResult Session::WriteMessage(Call* call,
                                           Notifications* notifications) {
  Call::OutgoingFrame& frame = call->outgoing_.front();
  OutgoingMessage& message = absl::get<OutgoingMessage>(frame.payload);
  // At least one byte must fit, unless there is none to send.
  if (call->send_window_ < kFrameCharge + (message.left() > 0 ? 1 : 0))
    return WriteResult::kNothing;
  size_t bytes = std::min({message.left(), kMaxFragmentBytes,
                           max_payload_ - kMessageLengthBytes,
                           size_t{call->send_window_} - kFrameCharge});
  const bool begin = !frame.begun;
  const bool end = bytes == message.left();
  const size_t prefix = begin && !end ? kMessageLengthBytes : 0;

  std::byte* payload = Reserve(prefix + bytes);
  if (payload == nullptr) return WriteResult::kFull;
  if (prefix > 0) {
    const uint64_t total = message.size();
    std::memcpy(payload, &total, kMessageLengthBytes);
  }
  message.Read(payload + prefix, bytes);
  RecordHeader header{};
  header.length = static_cast<uint32_t>(prefix + bytes);
  header.type = static_cast<uint8_t>(FrameType::kMessage);
  header.flags = (begin ? kMessageBegin : 0) | (end ? kMessageEnd : 0);
  header.call_id = call->id_;
  link_->producer().Commit(header);
  frame.begun = true;
  mid_send_.store(!end, std::memory_order_relaxed);
  call->send_window_ -= bytes + kFrameCharge;
  unpublished_ += sizeof(header) + header.length;
  sent_since_read_.fetch_add(header.length, std::memory_order_relaxed);
  if (unpublished_ >= kStrideBytes) Publish();
  if (end) {
    last_sent_.store(message.size(), std::memory_order_relaxed);
    call->outgoing_.pop_front();
    if (call->handler_ != nullptr)
      notifications->sent.push_back(call->handler_);
  }
  return WriteResult::kWritten;
}

Session::WriteResult Session::WriteFrame(FrameType type, uint64_t call_id,
                                         const void* payload, size_t bytes) {
  std::byte* to = Reserve(bytes);
  if (to == nullptr) return WriteResult::kFull;
  if (bytes > 0) std::memcpy(to, payload, bytes);
  RecordHeader header{};
  header.length = static_cast<uint32_t>(bytes);
  header.type = static_cast<uint8_t>(type);
  header.call_id = call_id;
  link_->producer().Commit(header);
  unpublished_ += sizeof(header) + bytes;
  return WriteResult::kWritten;
}

// Space in the ring for a payload; null if it is full. Then the thread that
// drives looks for some, or the consumer is told to ring when there is.
std::byte* Session::Reserve(size_t bytes) {
  RingProducer& ring = link_->producer();
  for (;;) {
    if (std::byte* payload = ring.TryReserve(bytes)) return payload;
    Publish();  // the consumer can only make space by reading what it can see
    if (ring.broken()) return nullptr;
    full_at_.store(ring.known_head(), std::memory_order_relaxed);
    full_.store(true);
    if (driven_.load() || ring.ArmForSpace(bytes)) return nullptr;
  }
}

void Session::Publish() {
  if (unpublished_ == 0) return;
  unpublished_ = 0;
  if (deferring_ != this) {
    if (const auto sleep = link_->producer().Publish()) Wake(sleep);
  } else if (link_->producer().PublishQuietly() &&
             ring_at_.load(std::memory_order_relaxed) == 0) {
    ring_at_.store(MonotonicNanos() + kLongestDeferralNanos,
                   std::memory_order_relaxed);
  }
}

// Rings if the time has come, or if that was the last open call: then the peer
// waits for nothing else, and won't find the answer by itself.
void Session::RingIfDue(bool now) {
  const int64_t ring_at = ring_at_.load(std::memory_order_relaxed);
  if (ring_at == 0) return;
  MutexLock lock(&mu_);
  if (!now && !calls_.empty() && MonotonicNanos() < ring_at) return;
  ring_at_.store(0, std::memory_order_relaxed);
  // Who has read everything may be asleep again. It stays armed: only who rings
  // may take that away.
  if (link_ == nullptr || link_->producer().IsConsumed()) return;
  if (const auto sleep = link_->producer().TakeConsumerWakeup()) Wake(sleep);
}

void Session::Wake(armed_flag::Sleep sleep) {
  link_->producer().TellCore(sched_getcpu());
  link_->Wake(sleep);
}

void Session::Schedule(Call* call) {
  if (call->scheduled_ || link_ == nullptr) return;
  if (scheduled_.size() >= forget_at_) ForgetSilentCalls();
  call->scheduled_ = true;
  scheduled_.push_back(call->shared_from_this());
}

// A peer that does not read would have us keep every call that was cancelled
// before any of it was written.
void Session::ForgetSilentCalls() {
  scheduled_.erase(std::remove_if(scheduled_.begin(), scheduled_.end(),
                                  [](const std::shared_ptr<Call>& call) {
                                    const bool silent = call->over_ &&
                                                        !call->cancelled_ &&
                                                        call->outgoing_.empty();
                                    if (silent) call->scheduled_ = false;
                                    return silent;
                                  }),
                   scheduled_.end());
  forget_at_ = std::max<size_t>(64, 2 * scheduled_.size());
}

void Session::QueueFrame(Call* call, FrameType type, std::string payload) {
  call->outgoing_.push_back({type, std::move(payload)});
  Schedule(call);
}

void Session::AddCredit(Call* call, uint32_t bytes) {
  call->credit_due_ += bytes;
  if (call->credit_due_ >= window_ / 2) Schedule(call);
}

}  // namespace grpc_shm
