// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_UNIT_CALL_RECORDING_HANDLERS_H_
#define GRPC_SHM_TESTS_UNIT_CALL_RECORDING_HANDLERS_H_

#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "transport/call/session.h"

namespace grpc_shm {

// Long enough for a loaded machine; a test that waits so long has failed.
inline constexpr absl::Duration kPatience = absl::Seconds(20);

inline OutgoingMessage ToMessage(std::string bytes) {
  auto* const owned = new std::string(std::move(bytes));
  return OutgoingMessage(
      {absl::MakeConstSpan(reinterpret_cast<const std::byte*>(owned->data()),
                           owned->size())},
      OutgoingMessage::Owner(
          owned, [](void* owner) { delete static_cast<std::string*>(owner); }));
}

// Records what a call's side is told, and takes what it receives when the test
// asks for it.
class RecordingCall : public CallHandler {
 public:
  void Attach(std::shared_ptr<Call> call) {
    absl::MutexLock lock(&mu_);
    call_ = std::move(call);
  }
  const std::shared_ptr<Call>& call() const { return call_; }

  void OnReadable() override { Count(&readable_); }
  void OnSent() override { Count(&sent_); }
  void OnAborted(const absl::Status& status) override {
    absl::MutexLock lock(&mu_);
    aborted_ = status;
  }

  // The next thing received; nothing after kPatience.
  absl::optional<Received> Next() {
    const absl::Time end = absl::Now() + kPatience;
    absl::MutexLock lock(&mu_);
    for (;;) {
      const int seen = readable_;
      if (absl::optional<Received> item = call_->Take()) return item;
      const auto more = [this, seen] { return readable_ != seen; };
      if (!mu_.AwaitWithDeadline(absl::Condition(&more), end)) {
        return absl::nullopt;
      }
    }
  }

  // The next thing received, which is a message and is consumed at once.
  absl::optional<std::string> NextMessage() {
    absl::optional<Received> item = Next();
    if (!item.has_value()) return absl::nullopt;
    auto* const message = absl::get_if<ReceivedMessage>(&*item);
    if (message == nullptr) return absl::nullopt;
    std::string bytes(reinterpret_cast<const char*>(message->data()),
                      message->size());
    call_->MessageConsumed();
    return bytes;
  }

  bool AwaitSent(int count) {
    absl::MutexLock lock(&mu_);
    const auto enough = [this, count] { return sent_ >= count; };
    return mu_.AwaitWithTimeout(absl::Condition(&enough), kPatience);
  }

  int sent() {
    absl::MutexLock lock(&mu_);
    return sent_;
  }

  // The status the call was aborted with; OK after kPatience without one.
  absl::Status AwaitAborted() {
    absl::MutexLock lock(&mu_);
    const auto aborted = [this] { return aborted_.has_value(); };
    mu_.AwaitWithTimeout(absl::Condition(&aborted), kPatience);
    return aborted_.value_or(absl::OkStatus());
  }

 private:
  void Count(int* counter) {
    absl::MutexLock lock(&mu_);
    ++*counter;
  }

  absl::Mutex mu_;
  std::shared_ptr<Call> call_;
  int readable_ = 0;
  int sent_ = 0;
  absl::optional<absl::Status> aborted_;
};

// Records what a session's owner is told, and the calls that arrive.
class RecordingSession : public SessionHandler {
 public:
  struct Arrived {
    std::shared_ptr<RecordingCall> call;
    wire::CallStart start;
  };

  std::shared_ptr<CallHandler> OnCall(const std::shared_ptr<Call>& call,
                                      wire::CallStart start) override {
    auto handler = std::make_shared<RecordingCall>();
    handler->Attach(call);
    absl::MutexLock lock(&mu_);
    arrived_.push_back({handler, start});
    return handler;
  }
  void OnGoAway(Session*) override {
    absl::MutexLock lock(&mu_);
    going_away_ = true;
  }
  void OnClosed(Session*, const absl::Status& status) override {
    absl::MutexLock lock(&mu_);
    closed_ = status;
  }

  // The next call that arrives; a null `call` after kPatience.
  Arrived Next() {
    absl::MutexLock lock(&mu_);
    const auto some = [this] { return !arrived_.empty(); };
    if (!mu_.AwaitWithTimeout(absl::Condition(&some), kPatience)) return {};
    Arrived next = std::move(arrived_.front());
    arrived_.pop_front();
    return next;
  }

  bool AwaitGoAway() {
    absl::MutexLock lock(&mu_);
    return mu_.AwaitWithTimeout(absl::Condition(&going_away_), kPatience);
  }

  // The status the session was closed with; OK after kPatience without one.
  absl::Status AwaitClosed() {
    absl::MutexLock lock(&mu_);
    const auto closed = [this] { return closed_.has_value(); };
    mu_.AwaitWithTimeout(absl::Condition(&closed), kPatience);
    return closed_.value_or(absl::OkStatus());
  }

 private:
  absl::Mutex mu_;
  std::deque<Arrived> arrived_;
  bool going_away_ = false;
  absl::optional<absl::Status> closed_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_UNIT_CALL_RECORDING_HANDLERS_H_
