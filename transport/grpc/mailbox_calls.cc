// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/mailbox_calls.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "transport/mailbox.h"

namespace grpc_shm {
namespace {

// What Mailbox::TrySend and TryReceive say when they would have to wait.
bool WouldWait(const absl::Status& status) {
  return absl::IsUnavailable(status);
}

absl::Status Keep(absl::StatusOr<Mailbox::Message> received,
                  Mailbox::Message* message) {
  if (received.ok()) *message = *std::move(received);
  return received.status();
}

void Fill(const Mailbox::Message& from, v1::ReceivedMessage* to) {
  to->set_data(from.data(), from.size());
  to->set_redelivered(from.redelivered());
  to->set_sender_pid(from.sender());
}

// ---- Send

class SendCall final : public grpc::ServerUnaryReactor,
                       public MailboxWaiters::Waiter,
                       public std::enable_shared_from_this<SendCall> {
 public:
  SendCall(const MailboxCallEnvironment& environment,
           const v1::SendRequest* request, v1::SendResponse* response)
      : environment_(environment), request_(*request), response_(*response) {}

  void Begin() {
    self_ = shared_from_this();
    const absl::Status status = environment_.mailboxes->Use(
        request_.name(),
        [this](Mailbox& mailbox) { return mailbox.TrySend(request_.data()); });
    if (!WouldWait(status)) {
      Done(status);
    } else if (request_.no_wait()) {
      response_.set_full(true);
      Done(absl::OkStatus());
    } else {
      environment_.waiters->Start(MailboxWaiters::Side::kSend, request_.name(),
                                  self_);
    }
  }

 private:
  absl::Status Wait(Mailbox& mailbox) override {
    return mailbox.Send(request_.data());
  }
  void Done(const absl::Status& status) override { Finish(ToGrpc(status)); }
  void OnCancel() override { environment_.waiters->Cancel(self_); }
  void OnDone() override { const auto last = std::move(self_); }

  const MailboxCallEnvironment environment_;
  const v1::SendRequest& request_;
  v1::SendResponse& response_;
  std::shared_ptr<SendCall> self_;  // until OnDone
};

// ---- Receive

class ReceiveCall final : public grpc::ServerUnaryReactor,
                          public MailboxWaiters::Waiter,
                          public std::enable_shared_from_this<ReceiveCall> {
 public:
  ReceiveCall(const MailboxCallEnvironment& environment,
              grpc::CallbackServerContext* context,
              const v1::ReceiveRequest* request, v1::ReceiveResponse* response)
      : environment_(environment),
        context_(context),
        request_(*request),
        response_(*response) {}

  void Begin() {
    self_ = shared_from_this();
    const absl::Status status =
        environment_.mailboxes->Use(request_.name(), [this](Mailbox& mailbox) {
          return Keep(mailbox.TryReceive(), &message_);
        });
    if (!WouldWait(status)) {
      Done(status);
    } else if (request_.no_wait()) {
      Done(absl::OkStatus());
    } else {
      environment_.waiters->Start(MailboxWaiters::Side::kReceive,
                                  request_.name(), self_);
    }
  }

 private:
  absl::Status Wait(Mailbox& mailbox) override {
    return Keep(mailbox.Receive(), &message_);
  }
  void Done(const absl::Status& status) override {
    if (message_) Fill(message_, response_.mutable_message());
    Finish(ToGrpc(status));
  }
  void OnCancel() override { environment_.waiters->Cancel(self_); }
  void OnDone() override {
    // The answer has left, unless the client gave up before. Then the message
    // goes back.
    if (message_ && !context_->IsCancelled()) message_.Acknowledge();
    const auto last = std::move(self_);
  }

  const MailboxCallEnvironment environment_;
  grpc::CallbackServerContext* const context_;
  const v1::ReceiveRequest& request_;
  v1::ReceiveResponse& response_;
  Mailbox::Message message_;
  std::shared_ptr<ReceiveCall> self_;  // until OnDone
};

// ---- Subscribe

// One message at a time is received and written; then the next, as long as the
// client has acknowledged enough. Operations are started without the lock:
// gRPC may run what they complete on the same thread.
class Subscription final
    : public grpc::ServerBidiReactor<v1::SubscribeRequest,
                                     v1::SubscribeResponse>,
      public std::enable_shared_from_this<Subscription> {
 public:
  Subscription(const MailboxCallEnvironment& environment,
               std::function<absl::Status(const std::string&)> serves)
      : environment_(environment), serves_(std::move(serves)) {}

  void Begin() {
    self_ = shared_from_this();
    const absl::Status status = environment_.subscriptions->Add(
        this, [self = self_](const absl::Status& why) { self->End(why); });
    ReadOn(status);
  }

 private:
  // Receives the next message.
  class Next final : public MailboxWaiters::Waiter {
   public:
    explicit Next(std::shared_ptr<Subscription> subscription)
        : subscription_(std::move(subscription)) {}

    absl::Status Try(Mailbox& mailbox) {
      return Keep(mailbox.TryReceive(), &message_);
    }
    absl::Status Wait(Mailbox& mailbox) override {
      return Keep(mailbox.Receive(), &message_);
    }
    void Done(const absl::Status& status) override {
      subscription_->Received(status, std::move(message_));
    }

   private:
    const std::shared_ptr<Subscription> subscription_;
    Mailbox::Message message_;
  };

  void OnReadDone(bool ok) override {
    if (!ok) {
      End(absl::OkStatus());
      return;
    }
    {
      absl::MutexLock lock(&mu_);
      reading_ = true;
    }
    ReadOn(Heard());
  }

  // While `reading_`: reads the next request, unless `status` says that this
  // is the end.
  void ReadOn(const absl::Status& status) {
    if (!status.ok()) End(status);
    bool ended;
    {
      absl::MutexLock lock(&mu_);
      ended = ended_;
    }
    if (!ended) StartRead(&request_);
    {
      absl::MutexLock lock(&mu_);
      reading_ = false;
    }
    Proceed();
  }

  // A request. Only one is read at a time.
  absl::Status Heard() {
    if (window_ == 0) {
      const absl::Status status = serves_(request_.name());
      if (!status.ok()) return status;
      size_t window = std::max<size_t>(environment_.max_unacknowledged, 1);
      if (request_.max_unacknowledged() != 0) {
        window = std::min<size_t>(window, request_.max_unacknowledged());
      }
      absl::MutexLock lock(&mu_);
      name_ = request_.name();
      window_ = window;
    } else if (!request_.name().empty()) {
      return absl::InvalidArgumentError(
          "only the first request of a subscription names a mailbox");
    }
    for (const uint64_t id : request_.acknowledge()) {
      Mailbox::Message message;
      {
        absl::MutexLock lock(&mu_);
        const auto it = unacknowledged_.find(id);
        if (it != unacknowledged_.end()) {
          message = std::move(it->second);
          unacknowledged_.erase(it);
        }
      }
      if (!message) {
        return absl::InvalidArgumentError(absl::StrCat(
            "message ", id, " was not delivered, or is acknowledged already"));
      }
      message.Acknowledge();
    }
    return absl::OkStatus();
  }

  // Receives the next message, or finishes, when it is time.
  void Proceed() {
    std::shared_ptr<Next> next;
    absl::Status finish;
    {
      absl::MutexLock lock(&mu_);
      if (finished_ || next_ != nullptr || writing_) return;
      if (ended_) {
        if (reading_) return;
        finished_ = true;
        finish = end_status_;
      } else {
        if (unacknowledged_.size() >= window_) return;
        next = next_ = std::make_shared<Next>(self_);
      }
    }
    if (next == nullptr) {
      Finish(ToGrpc(finish));
      return;
    }
    const absl::Status status = environment_.mailboxes->Use(
        name_, [&](Mailbox& mailbox) { return next->Try(mailbox); });
    if (WouldWait(status)) {
      environment_.waiters->Start(MailboxWaiters::Side::kReceive, name_, next);
    } else {
      next->Done(status);
    }
  }

  void Received(const absl::Status& status, Mailbox::Message message) {
    bool write = false;
    {
      absl::MutexLock lock(&mu_);
      next_ = nullptr;
      if (!ended_ && status.ok()) {
        response_.set_id(++last_id_);
        Fill(message, response_.mutable_message());
        unacknowledged_.emplace(last_id_, std::move(message));
        writing_ = write = true;
      }
    }
    if (write) {
      StartWrite(&response_);
      return;
    }
    message.GiveBack();
    if (!status.ok()) End(status);
    Proceed();
  }

  void OnWriteDone(bool ok) override {
    {
      absl::MutexLock lock(&mu_);
      writing_ = false;
    }
    if (!ok) End(absl::CancelledError());
    Proceed();
  }

  void OnCancel() override { End(absl::CancelledError()); }

  void End(const absl::Status& status) {
    std::shared_ptr<Next> next;
    {
      absl::MutexLock lock(&mu_);
      if (ended_) return;
      ended_ = true;
      end_status_ = status;
      next = next_;
    }
    if (next != nullptr) environment_.waiters->Cancel(next);
    Proceed();
  }

  void OnDone() override {
    // What is not acknowledged goes back, although others may keep this for a
    // moment longer.
    std::map<uint64_t, Mailbox::Message> unacknowledged;
    {
      absl::MutexLock lock(&mu_);
      unacknowledged.swap(unacknowledged_);
    }
    environment_.subscriptions->Remove(this);
    const auto last = std::move(self_);
  }

  const MailboxCallEnvironment environment_;
  const std::function<absl::Status(const std::string&)> serves_;
  std::shared_ptr<Subscription> self_;  // until OnDone
  v1::SubscribeRequest request_;        // of the read that is under way
  v1::SubscribeResponse response_;      // of the write

  absl::Mutex mu_;
  // Written once, by the first request; read by that thread, or after a look at
  // window_ with the lock.
  std::string name_;
  size_t window_ = 0;
  bool reading_ ABSL_GUARDED_BY(mu_) = true;  // StartRead may be called
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  std::shared_ptr<Next> next_ ABSL_GUARDED_BY(mu_);  // while it receives
  uint64_t last_id_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<uint64_t, Mailbox::Message> unacknowledged_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_status_ ABSL_GUARDED_BY(mu_);
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

template <typename Call, typename... Arguments>
Call* NewCall(Arguments&&... arguments) {
  const auto call =
      std::make_shared<Call>(std::forward<Arguments>(arguments)...);
  call->Begin();
  return call.get();
}

}  // namespace

absl::Status Subscriptions::Add(void* subscription, End end) {
  absl::MutexLock lock(&mu_);
  if (shut_down_) return MailboxWaiters::ShuttingDown();
  if (ends_.size() == max_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there are ", max_,
                     " subscriptions already "
                     "(MailboxServiceOptions::max_subscriptions)"));
  }
  ends_.emplace(subscription, std::move(end));
  return absl::OkStatus();
}

void Subscriptions::Remove(void* subscription) {
  End end;  // destroyed without the lock
  absl::MutexLock lock(&mu_);
  const auto it = ends_.find(subscription);
  if (it == ends_.end()) return;
  end = std::move(it->second);
  ends_.erase(it);
}

void Subscriptions::Shutdown() {
  std::map<void*, End> ends;
  {
    absl::MutexLock lock(&mu_);
    shut_down_ = true;
    ends = ends_;
  }
  for (const auto& [subscription, end] : ends) {
    end(MailboxWaiters::ShuttingDown());
  }
}

grpc::ServerUnaryReactor* SendToMailbox(
    const MailboxCallEnvironment& environment, const v1::SendRequest* request,
    v1::SendResponse* response) {
  return NewCall<SendCall>(environment, request, response);
}

grpc::ServerUnaryReactor* ReceiveFromMailbox(
    const MailboxCallEnvironment& environment,
    grpc::CallbackServerContext* context, const v1::ReceiveRequest* request,
    v1::ReceiveResponse* response) {
  return NewCall<ReceiveCall>(environment, context, request, response);
}

grpc::ServerBidiReactor<v1::SubscribeRequest, v1::SubscribeResponse>*
SubscribeToMailbox(const MailboxCallEnvironment& environment,
                   std::function<absl::Status(const std::string&)> serves) {
  return NewCall<Subscription>(environment, std::move(serves));
}

}  // namespace grpc_shm
