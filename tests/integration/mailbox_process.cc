// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A process that serves the mailboxes of its user, or subscribes to one: see
// control.proto.

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "grpcpp/client_context.h"
#include "grpcpp/security/server_credentials.h"
#include "proto/mailbox.grpc.pb.h"
#include "tests/integration/control_socket.h"
#include "transport/channel.h"
#include "transport/mailbox_service.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {
namespace {

class MailboxProcess {
 public:
  ControlReply Handle(const ControlRequest& request) {
    ControlReply reply;
    if (request.has_start()) {
      Serve(request.start(), &reply);
    } else if (request.has_subscribe()) {
      Subscribe(request.subscribe(), &reply);
    } else {
      reply.set_code(static_cast<int>(absl::StatusCode::kInvalidArgument));
    }
    return reply;
  }

 private:
  void Serve(const ServerConfig& config, ControlReply* reply) {
    ServerBuilder builder;
    for (const std::string& address : config.addresses()) {
      if (absl::StartsWith(address, "shm:")) {
        builder.Listen(address);
      } else {
        builder.AddListeningPort(address, grpc::InsecureServerCredentials());
      }
    }
    // And at a TCP port of the kernel's choice.
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(mailboxes_.service());
    absl::Status status;
    server_ = builder.BuildAndStart(&status);
    reply->set_code(static_cast<int>(status.code()));
    reply->set_message(std::string(status.message()));
    reply->set_count(port);
  }

  // The reply comes with the messages, which are not acknowledged.
  void Subscribe(const SubscribeToMailbox& subscribe, ControlReply* reply) {
    auto stub = v1::Mailboxes::NewStub(CreateChannel(subscribe.target()));
    stream_ = stub->Subscribe(&context_);
    v1::SubscribeRequest request;
    request.set_name(subscribe.mailbox());
    stream_->Write(request);
    v1::SubscribeResponse response;
    for (int i = 0; i < subscribe.count() && stream_->Read(&response); ++i) {
      reply->add_messages()->set_data(response.message().data());
    }
  }

  MailboxService mailboxes_;
  std::unique_ptr<Server> server_;
  grpc::ClientContext context_;
  std::unique_ptr<
      grpc::ClientReaderWriter<v1::SubscribeRequest, v1::SubscribeResponse>>
      stream_;
};

int Main() {
  MailboxProcess process;
  return ServeControl([&process](const ControlRequest& request) {
    return process.Handle(request);
  });
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm

int main() { return grpc_shm::testing::Main(); }
