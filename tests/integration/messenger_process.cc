// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A process with a messenger: see MessengerCommand in control.proto.

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tests/integration/control_socket.h"
#include "tests/integration/observer.h"
#include "transport/messenger.h"

namespace grpc_shm {
namespace testing {
namespace {

class MessengerProcess {
 public:
  ControlReply Handle(const ControlRequest& request) {
    if (request.has_become_user()) return BecomeUser(request.become_user());
    ControlReply reply;
    const absl::Status status = Do(request.messenger(), &reply);
    reply.set_code(static_cast<int>(status.code()));
    reply.set_message(std::string(status.message()));
    return reply;
  }

 private:
  absl::Status Do(const MessengerCommand& command, ControlReply* reply) {
    switch (command.command_case()) {
      case MessengerCommand::kOpen:
        return Open(command.open());
      case MessengerCommand::kSend:
        return Send(command.send());
      case MessengerCommand::kReceive:
        return Receive(command.receive(), reply);
      case MessengerCommand::kClose:
        messenger_->Close();
        return absl::OkStatus();
      default:
        return absl::InvalidArgumentError("no command for a messenger");
    }
  }

  absl::Status Open(const OpenMessenger& open) {
    MessengerOptions options;
    if (open.inbox_messages() != 0) {
      options.inbox_messages = open.inbox_messages();
    }
    if (open.max_message_bytes() != 0) {
      options.max_message_bytes = open.max_message_bytes();
    }
    messenger_.reset();
    absl::StatusOr<std::unique_ptr<Messenger>> messenger =
        Messenger::Open(open.name(), options);
    if (messenger.ok()) messenger_ = *std::move(messenger);
    return messenger.status();
  }

  absl::Status Send(const SendMessages& send) {
    while (MonotonicNanos() < send.start_ns()) {
    }
    if (send.has_message()) return messenger_->Send(send.to(), send.message());
    for (int i = 0; i < send.count(); ++i) {
      const absl::Status status = messenger_->Send(send.to(), absl::StrCat(i));
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status Receive(const ReceiveMessages& receive, ControlReply* reply) {
    for (int i = 0; i < receive.count(); ++i) {
      absl::StatusOr<Messenger::Message> message =
          receive.has_from() ? messenger_->Receive(receive.from())
                             : messenger_->ReceiveAny();
      if (!message.ok()) return message.status();
      InboxMessage& received = *reply->add_messages();
      received.set_sender(message->sender);
      received.set_data(message->data);
    }
    return absl::OkStatus();
  }

  std::unique_ptr<Messenger> messenger_;
};

int Main() {
  MessengerProcess process;
  return ServeControl([&process](const ControlRequest& request) {
    return process.Handle(request);
  });
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm

int main() { return grpc_shm::testing::Main(); }
