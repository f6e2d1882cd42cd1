// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "tests/integration/running_server.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {
namespace {

class GrpcServer : public RunningServer {
 public:
  explicit GrpcServer(std::unique_ptr<grpc::Server> server)
      : server_(std::move(server)) {}

  ~GrpcServer() override { Shutdown(absl::InfinitePast()); }

  absl::Status Attach(const std::string& address,
                      const ListenerOptions& options) {
    absl::StatusOr<std::unique_ptr<Listener>> listener =
        IsMailboxAddress(address)
            ? Listener::Attach(server_.get(), address, TestMailboxOptions(),
                               options)
            : Listener::Attach(server_.get(), address, options);
    if (!listener.ok()) return listener.status();
    listeners_.push_back(*std::move(listener));
    return absl::OkStatus();
  }

  void Shutdown(absl::Time deadline) override {
    for (auto& listener : listeners_) listener->Shutdown(deadline);
    server_->Shutdown(absl::ToChronoTime(deadline));
  }

  grpc::Server* grpc_server() override { return server_.get(); }

 private:
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace

bool IsShmAddress(const std::string& address) {
  return absl::StartsWith(address, "shm:") || IsMailboxAddress(address);
}

bool IsMailboxAddress(const std::string& address) {
  return absl::StartsWith(address, "mailbox:");
}

MailboxOptions TestMailboxOptions() {
  MailboxOptions options;
  options.max_message_bytes = 128 << 10;  // metadata must fit
  return options;
}

ListenerOptions ListenerOptionsOf(const ServerConfig& config) {
  ListenerOptions options;
  options.inline_dispatch = !config.without_inline_dispatch();
  // As many as a server without a mailbox may serve.
  options.max_mailbox_calls =
      config.has_max_mailbox_calls() ? config.max_mailbox_calls() : 10000;
  if (config.has_wait_policy()) {
    options.wait_policy = static_cast<WaitPolicy>(config.wait_policy());
  }
  const ListenerLimits& limits = config.limits();
  const auto set = [](uint64_t limit, size_t* option) {
    if (limit != 0) *option = limit;
  };
  set(limits.max_links(), &options.max_links);
  set(limits.max_links_per_user(), &options.max_links_per_user);
  set(limits.max_link_bytes(), &options.max_link_bytes);
  set(limits.max_handshakes(), &options.max_handshakes);
  set(limits.max_calls_per_link(), &options.max_calls_per_link);
  set(limits.max_metadata_bytes(), &options.max_metadata_bytes);
  set(limits.max_buffered_bytes_per_link(),
      &options.max_buffered_bytes_per_link);
  if (limits.handshake_timeout_ms() != 0) {
    options.handshake_timeout =
        absl::Milliseconds(limits.handshake_timeout_ms());
  }
  return options;
}

absl::StatusOr<std::unique_ptr<RunningServer>> StartWithGrpcBuilder(
    const ServerConfig& config, ServerParts* parts) {
  grpc::ServerBuilder builder;
  Configure(config, parts, &builder);
  for (const std::string& address : config.addresses()) {
    if (IsShmAddress(address)) continue;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  }
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return absl::InternalError("grpc::ServerBuilder::BuildAndStart failed");
  }
  auto running = std::make_unique<GrpcServer>(std::move(server));
  for (const std::string& address : config.addresses()) {
    if (!IsShmAddress(address)) continue;
    absl::Status attached = running->Attach(address, ListenerOptionsOf(config));
    if (!attached.ok()) return attached;
  }
  return running;
}

}  // namespace testing
}  // namespace grpc_shm
