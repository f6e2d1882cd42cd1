// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// The session's beginning and end. It reads in session_reader.cc and writes in
// session_writer.cc.

#include "transport/call/session.h"

#include <sys/epoll.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/base/fault_point.h"
#include "transport/call/session_internal.h"

namespace grpc_shm {

absl::Status TooMuchMetadata(size_t bytes, size_t limit) {
  return absl::ResourceExhaustedError(absl::StrCat(
      "metadata of at least ", bytes, " bytes exceeds the link's limit of ",
      limit, " bytes; send less, or use larger rings"));
}

Session::Session(std::unique_ptr<Link> link, SessionOptions options,
                 std::weak_ptr<SessionHandler> handler)
    : options_(std::move(options)),
      handler_(std::move(handler)),
      peer_(link->peer()),
      window_(link->window_bytes()),
      max_payload_(link->producer().max_payload()),
      flag_(link->consumer().flag()),
      spinner_(options_.wait_policy),
      link_(std::move(link)) {}

Session::~Session() {
  if (link_ == nullptr) return;
  Reactor::Get().Unwatch(doorbell_source_, link_->doorbell_fd());
  Reactor::Get().Unwatch(control_source_, link_->control_fd());
}

absl::StatusOr<std::shared_ptr<Session>> Session::Start(
    std::unique_ptr<Link> link, SessionOptions options,
    std::weak_ptr<SessionHandler> handler) {
  std::shared_ptr<Session> session(
      new Session(std::move(link), std::move(options), std::move(handler)));
  const std::weak_ptr<Session> weak = session;
  {
    MutexLock read_lock(&session->read_mu_);
    MutexLock lock(&session->mu_);
    absl::StatusOr<Reactor::SourceId> doorbell = Reactor::Get().Watch(
        session->link_->doorbell_fd(), EPOLLIN | EPOLLET, [weak](uint32_t) {
          if (const std::shared_ptr<Session> self = weak.lock())
            self->OnDoorbell();
        });
    if (!doorbell.ok()) return doorbell.status();
    session->doorbell_source_ = *doorbell;
    absl::StatusOr<Reactor::SourceId> control = Reactor::Get().Watch(
        session->link_->control_fd(), EPOLLIN | EPOLLRDHUP | EPOLLET,
        [weak](uint32_t events) {
          if (const std::shared_ptr<Session> self = weak.lock())
            self->OnControl(events);
        });
    if (!control.ok()) return control.status();
    session->control_source_ = *control;
  }
  // Watching the doorbell yields a first event, whose handler arms it.
  return session;
}

absl::StatusOr<std::shared_ptr<Call>> Session::StartCall(
    const wire::CallStart& start, std::shared_ptr<CallHandler> handler) {
  std::string payload = start.SerializeAsString();
  if (payload.size() > max_payload_)
    return TooMuchMetadata(payload.size(), max_payload_);
  MutexLock lock(&mu_);
  if (link_ == nullptr || refusing_) {
    return absl::UnavailableError(
        absl::StrCat(options_.address, ": the link is closing"));
  }
  std::shared_ptr<Call> call(new Call(shared_from_this(), ++last_call_id_,
                                      window_, std::move(handler)));
  calls_.emplace(call->id_, call);
  if (!backstop_armed_) ArmBackstop();
  QueueFrame(call.get(), FrameType::kCall, std::move(payload));
  return call;
}

absl::StatusOr<std::shared_ptr<Call>> Session::PrepareCall(uint64_t number) {
  MutexLock lock(&mu_);
  if (link_ == nullptr || refusing_) {
    return absl::UnavailableError(
        absl::StrCat(options_.address, ": the link is closing"));
  }
  if (calls_.contains(number)) {
    return absl::InvalidArgumentError(
        absl::StrCat(options_.address, ": a call was offered twice"));
  }
  return AddOffered(number);
}

std::shared_ptr<Call> Session::AdoptCall(uint64_t number) {
  MutexLock lock(&mu_);
  if (link_ == nullptr || calls_.contains(number)) return nullptr;
  std::shared_ptr<Call> call = AddOffered(number);
  call->adopted_ = true;
  return call;
}

std::shared_ptr<Call> Session::AddOffered(uint64_t number) {
  std::shared_ptr<Call> call(
      new Call(shared_from_this(), number, window_, nullptr));
  call->opened_ = true;  // who cancels it tells the server
  calls_.emplace(number, call);
  if (!backstop_armed_) ArmBackstop();
  last_call_id_ = std::max(last_call_id_, number);
  return call;
}

void Session::GoAway(const std::string& reason) {
  {
    MutexLock lock(&mu_);
    wire::GoAway frame;
    frame.set_last_call_id(last_call_id_);
    frame.set_message(reason);
    go_away_ = frame.SerializeAsString();
    refusing_ = true;
    close_when_idle_ = true;
  }
  GRPC_SHM_FAULT_POINT(GoAwayQueued);
  Flush();
  GRPC_SHM_FAULT_POINT(GoAwaySent);
}

void Session::CloseWhenIdle() {
  {
    MutexLock lock(&mu_);
    refusing_ = true;
    close_when_idle_ = true;
  }
  Flush();
}

size_t Session::calls() const {
  MutexLock lock(&mu_);
  return calls_.size();
}

void Session::Close(const absl::Status& status) {
  Notifications notifications;
  std::unique_ptr<Link> link;
  bool told_later;
  closing_.store(true, std::memory_order_relaxed);
  {
    MutexLock read_lock(&read_mu_);
    MutexLock lock(&mu_);
    if (link_ == nullptr) return;
    Reactor::Get().Unwatch(doorbell_source_, link_->doorbell_fd());
    Reactor::Get().Unwatch(control_source_, link_->control_fd());
    link = std::move(link_);
    auto calls = std::move(calls_);
    calls_.clear();
    for (auto& [id, call] : calls) {
      notifications.Abort(call.get(), status);
      End(call.get(), &notifications);
    }
    scheduled_.clear();
    told_later = telling_ > 0;
    if (told_later) closed_ = status;
  }
  GRPC_SHM_FAULT_POINT(SessionClosing);
  link.reset();
  GRPC_SHM_FAULT_POINT(SessionClosed);
  notifications.Run(this);
  WakeTold(SIZE_MAX);
  if (!told_later) TellClosed(status);
}

void Session::TellClosed(const absl::Status& status) {
  if (const std::shared_ptr<SessionHandler> handler = handler_.lock())
    handler->OnClosed(this, status);
}

void Session::CloseIfIdle() {
  // Who sets it calls this as well.
  if (!close_when_idle_.load(std::memory_order_relaxed)) return;
  {
    MutexLock lock(&mu_);
    if (!calls_.empty() || !scheduled_.empty() || !go_away_.empty()) return;
  }
  Close(absl::UnavailableError(
      absl::StrCat(options_.address, ": the link was closed")));
}

// Ends a call that exceeds a limit, on both sides.
void Session::Refuse(const std::shared_ptr<Call>& call,
                     const absl::Status& status, Notifications* notifications) {
  notifications->Abort(call.get(), status);
  End(call.get(), notifications);
  if (is_server()) {
    QueueFrame(call.get(), FrameType::kTrailers,
               TrailersOf(status).SerializeAsString());
  } else {
    call->cancelled_ = true;
    Schedule(call.get());
  }
}

void Session::End(Call* call, Notifications* notifications) {
  call->over_ = true;
  call->outgoing_.clear();
  if (call->handler_ != nullptr)
    notifications->ended.push_back(std::move(call->handler_));
  calls_.erase(call->id_);
}

}  // namespace grpc_shm
