// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox_service.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/mailbox.grpc.pb.h"
#include "transport/grpc/mailbox_calls.h"
#include "transport/grpc/mailbox_waiters.h"
#include "transport/grpc/open_mailboxes.h"
#include "transport/mailbox.h"

namespace grpc_shm {
namespace {

std::string Address(const std::string& name) {
  return absl::StrCat("mailbox:", name);
}

void FillDescription(const MailboxInfo& info,
                     v1::MailboxDescription* description) {
  description->set_name(info.name);
  v1::Capacity& capacity = *description->mutable_capacity();
  switch (info.capacity.kind) {
    case MailboxCapacity::Kind::kRendezvous:
      capacity.set_rendezvous(true);
      break;
    case MailboxCapacity::Kind::kBounded:
      capacity.set_bounded(info.capacity.messages);
      break;
    case MailboxCapacity::Kind::kUnbounded:
      capacity.set_unbounded(true);
      break;
  }
  description->set_max_message_bytes(info.max_message_bytes);
  description->set_max_memory_bytes(info.max_memory_bytes);
  description->set_waiting(info.waiting);
  description->set_unacknowledged(info.unacknowledged);
  description->set_sent(info.sent);
  description->set_received(info.received);
  description->set_redelivered(info.redelivered);
  description->set_memory_bytes(info.memory_bytes);
  description->set_participants(info.participants);
}

// What a mailbox takes for messages (MailboxOptions::max_message_bytes).
uint64_t MessageMemory(const MailboxOptions& options) {
  uint64_t places = 64;
  switch (options.capacity.kind) {
    case MailboxCapacity::Kind::kUnbounded:
      return options.max_memory_bytes;
    case MailboxCapacity::Kind::kBounded:
      places = std::max<uint64_t>(options.capacity.messages, 1);
      break;
    case MailboxCapacity::Kind::kRendezvous:
      break;
  }
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  return options.max_message_bytes > kMost / places
             ? kMost
             : options.max_message_bytes * places;
}

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                 const absl::Status& status) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

}  // namespace

class MailboxService::Implementation final
    : public v1::Mailboxes::CallbackService {
 public:
  explicit Implementation(MailboxServiceOptions options)
      : options_(std::move(options)),
        mailboxes_(options_.max_open_mailboxes),
        waiters_(&mailboxes_, options_.max_waiting, options_.max_threads),
        subscriptions_(options_.max_subscriptions),
        calls_{&mailboxes_, &waiters_, &subscriptions_,
               options_.max_unacknowledged} {}

  void Shutdown() {
    subscriptions_.Shutdown();
    waiters_.Shutdown();
  }

  grpc::ServerUnaryReactor* Create(grpc::CallbackServerContext* context,
                                   const v1::CreateRequest* request,
                                   v1::CreateResponse*) override {
    return Answer(context, CreateMailbox(*request));
  }

  grpc::ServerUnaryReactor* Destroy(grpc::CallbackServerContext* context,
                                    const v1::DestroyRequest* request,
                                    v1::DestroyResponse*) override {
    return Answer(context, DestroyMailbox(request->name()));
  }

  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const v1::ListRequest*,
                                 v1::ListResponse* response) override {
    absl::StatusOr<std::vector<MailboxInfo>> mailboxes = Mailbox::List();
    if (!mailboxes.ok()) return Answer(context, mailboxes.status());
    for (const MailboxInfo& info : *mailboxes) {
      if (Serves(info.name).ok()) {
        FillDescription(info, response->add_mailboxes());
      }
    }
    return Answer(context, absl::OkStatus());
  }

  grpc::ServerUnaryReactor* Describe(grpc::CallbackServerContext* context,
                                     const v1::DescribeRequest* request,
                                     v1::DescribeResponse* response) override {
    const absl::Status status = Serves(request->name());
    if (!status.ok()) return Answer(context, status);
    // Not one that is open already: it might have been destroyed.
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
        Mailbox::Open(Address(request->name()));
    if (mailbox.ok()) {
      FillDescription((*mailbox)->Describe(), response->mutable_mailbox());
    }
    return Answer(context, mailbox.status());
  }

  grpc::ServerUnaryReactor* Send(grpc::CallbackServerContext* context,
                                 const v1::SendRequest* request,
                                 v1::SendResponse* response) override {
    const absl::Status status = Serves(request->name());
    if (!status.ok()) return Answer(context, status);
    return SendToMailbox(calls_, request, response);
  }

  grpc::ServerUnaryReactor* Receive(grpc::CallbackServerContext* context,
                                    const v1::ReceiveRequest* request,
                                    v1::ReceiveResponse* response) override {
    const absl::Status status = Serves(request->name());
    if (!status.ok()) return Answer(context, status);
    return ReceiveFromMailbox(calls_, context, request, response);
  }

  grpc::ServerBidiReactor<v1::SubscribeRequest, v1::SubscribeResponse>*
  Subscribe(grpc::CallbackServerContext*) override {
    return SubscribeToMailbox(
        calls_, [this](const std::string& name) { return Serves(name); });
  }

 private:
  absl::Status Serves(const std::string& name) const {
    if (absl::StartsWith(name, options_.name_prefix)) return absl::OkStatus();
    return absl::PermissionDeniedError(absl::StrCat(
        "only mailboxes whose names begin with '", options_.name_prefix,
        "' are served here (MailboxServiceOptions::name_prefix)"));
  }

  absl::Status MayCreateAndDestroy(const std::string& name) const {
    if (options_.allow_create_and_destroy) return Serves(name);
    return absl::PermissionDeniedError(
        "mailboxes are neither created nor destroyed here "
        "(MailboxServiceOptions::allow_create_and_destroy)");
  }

  absl::Status CreateMailbox(const v1::CreateRequest& request) {
    const absl::Status status = MayCreateAndDestroy(request.name());
    if (!status.ok()) return status;
    MailboxOptions options;
    switch (request.capacity().kind_case()) {
      case v1::Capacity::kRendezvous:
        options.capacity = MailboxCapacity::Rendezvous();
        break;
      case v1::Capacity::kBounded:
        options.capacity =
            MailboxCapacity::Bounded(request.capacity().bounded());
        break;
      case v1::Capacity::kUnbounded:
        options.capacity = MailboxCapacity::Unbounded();
        options.max_memory_bytes =
            std::min(options.max_memory_bytes, options_.max_mailbox_bytes);
        break;
      case v1::Capacity::KIND_NOT_SET:
        return absl::InvalidArgumentError("a mailbox needs a capacity");
    }
    if (request.max_message_bytes() != 0) {
      options.max_message_bytes = request.max_message_bytes();
    }
    if (request.max_memory_bytes() != 0) {
      options.max_memory_bytes = request.max_memory_bytes();
    }
    if (MessageMemory(options) > options_.max_mailbox_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("this mailbox would take ", MessageMemory(options),
                       " bytes for messages; the service allows ",
                       options_.max_mailbox_bytes,
                       " (MailboxServiceOptions::max_mailbox_bytes)"));
    }
    return Mailbox::Create(Address(request.name()), options).status();
  }

  absl::Status DestroyMailbox(const std::string& name) {
    absl::Status status = MayCreateAndDestroy(name);
    if (!status.ok()) return status;
    status = Mailbox::Destroy(Address(name));
    mailboxes_.Forget(name);
    return status;
  }

  const MailboxServiceOptions options_;
  OpenMailboxes mailboxes_;
  MailboxWaiters waiters_;
  Subscriptions subscriptions_;
  const MailboxCallEnvironment calls_;
};

MailboxService::MailboxService(MailboxServiceOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(options))) {}

MailboxService::~MailboxService() = default;

grpc::Service* MailboxService::service() { return implementation_.get(); }

void MailboxService::Shutdown() { implementation_->Shutdown(); }

}  // namespace grpc_shm
