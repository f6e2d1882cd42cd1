// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/messenger.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "proto/inbox.grpc.pb.h"
#include "transport/grpc/completion_thread.h"
#include "transport/grpc/message_stream.h"
#include "transport/grpc/messenger_core.h"
#include "transport/link/address.h"
#include "transport/server.h"

namespace grpc_shm {
namespace {

constexpr size_t kMaxMessageBytes = size_t{1} << 30;

absl::StatusOr<std::string> ParseName(absl::string_view name) {
  return ParseDirectAddress(DirectAddress(name));
}

absl::Status CheckOptions(const MessengerOptions& options) {
  if (options.inbox_messages == 0) {
    return absl::InvalidArgumentError(
        "MessengerOptions::inbox_messages must be at least 1");
  }
  if (options.max_message_bytes > kMaxMessageBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "MessengerOptions::max_message_bytes is ", options.max_message_bytes,
        "; it must be at most ", kMaxMessageBytes));
  }
  return absl::OkStatus();
}

}  // namespace

// The service at shm:NAME, and the thread that runs what completes.
class MessengerServer final {
 public:
  explicit MessengerServer(std::shared_ptr<MessengerCore> core)
      : core_(std::move(core)) {}
  ~MessengerServer() {
    if (completions_.has_value()) completions_->Stop();
  }

  absl::Status Start(const MessengerOptions& options) {
    ListenerOptions listener;
    listener.wait_policy = options.wait_policy;
    ServerBuilder builder;
    builder
        .SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes) +
                                  kPacketOverheadBytes)
        .RegisterService(&service_);
    std::unique_ptr<grpc::ServerCompletionQueue> queue =
        builder.AddCompletionQueue();
    queue_ = queue.get();
    absl::Status status;
    server_ = builder.BuildAndStart(&status);
    if (server_ == nullptr) return status;
    completions_.emplace(std::move(queue));
    // Only now: a server that fails to start must still be there while its
    // queue is drained (gRPC 1.51).
    absl::StatusOr<std::unique_ptr<Listener>> attached = Listener::Attach(
        server_->grpc_server(), DirectAddress(core_->name()), listener);
    if (!attached.ok()) {
      server_->Shutdown();
      return attached.status();
    }
    listener_ = *std::move(attached);
    core_->set_queue(queue_);
    AwaitCall();
    return absl::OkStatus();
  }

  // The calls have ended.
  void Stop() {
    listener_->Shutdown(absl::InfiniteFuture());
    server_->Shutdown();
  }

 private:
  void AwaitCall() {
    MessageStream::AwaitCall(core_, &service_, queue_,
                             [this](const auto& stream, const auto& context) {
                               AwaitCall();
                               core_->OnCall(stream, context);
                             });
  }

  const std::shared_ptr<MessengerCore> core_;
  v1::Inbox::AsyncService service_;
  grpc::ServerCompletionQueue* queue_ = nullptr;
  absl::optional<CompletionThread> completions_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Listener> listener_;
};

absl::StatusOr<std::unique_ptr<Messenger>> Messenger::Open(
    absl::string_view name, const MessengerOptions& options) {
  absl::StatusOr<std::string> parsed = ParseName(name);
  if (!parsed.ok()) return parsed.status();
  absl::Status status = CheckOptions(options);
  if (!status.ok()) return status;
  auto core = std::make_shared<MessengerCore>(*std::move(parsed), options);
  auto server = std::make_unique<MessengerServer>(core);
  status = server->Start(options);
  if (!status.ok()) return status;
  return std::unique_ptr<Messenger>(
      new Messenger(std::move(core), std::move(server)));
}

Messenger::Messenger(std::shared_ptr<MessengerCore> core,
                     std::unique_ptr<MessengerServer> server)
    : core_(std::move(core)), server_(std::move(server)) {}

Messenger::~Messenger() { Close(absl::InfinitePast()); }

const std::string& Messenger::name() const { return core_->name(); }

size_t Messenger::links() const { return core_->links(); }

absl::Status Messenger::Send(absl::string_view to, absl::string_view message,
                             absl::Time deadline) {
  absl::StatusOr<std::string> name = ParseName(to);
  if (!name.ok()) return name.status();
  return core_->Send(*name, message, deadline);
}

absl::Status Messenger::TrySend(absl::string_view to,
                                absl::string_view message) {
  absl::StatusOr<std::string> name = ParseName(to);
  if (!name.ok()) return name.status();
  return core_->TrySend(*name, message);
}

absl::StatusOr<Messenger::Message> Messenger::Receive(absl::string_view from,
                                                      absl::Time deadline) {
  absl::StatusOr<std::string> name = ParseName(from);
  if (!name.ok()) return name.status();
  return core_->Receive(&*name, deadline);
}

absl::StatusOr<Messenger::Message> Messenger::TryReceive(
    absl::string_view from) {
  absl::StatusOr<std::string> name = ParseName(from);
  if (!name.ok()) return name.status();
  return core_->TryReceive(&*name);
}

absl::StatusOr<Messenger::Message> Messenger::ReceiveAny(absl::Time deadline) {
  return core_->Receive(nullptr, deadline);
}

absl::StatusOr<Messenger::Message> Messenger::TryReceiveAny() {
  return core_->TryReceive(nullptr);
}

void Messenger::Close(absl::Time deadline) {
  core_->Close(deadline);
  server_->Stop();
}

}  // namespace grpc_shm
