// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <utility>

#include "absl/status/status.h"
#include "grpcpp/security/server_credentials.h"
#include "tests/integration/running_server.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {

namespace {

class ShmServer : public RunningServer {
 public:
  explicit ShmServer(std::unique_ptr<Server> server)
      : server_(std::move(server)) {}

  ~ShmServer() override { Shutdown(absl::InfinitePast()); }

  void Shutdown(absl::Time deadline) override {
    server_->Shutdown(absl::ToChronoTime(deadline));
  }

  grpc::Server* grpc_server() override { return server_->grpc_server(); }

 private:
  std::unique_ptr<Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RunningServer>> StartWithShmBuilder(
    const ServerConfig& config, ServerParts* parts) {
  ServerBuilder builder;
  Configure(config, parts, &builder);
  for (const std::string& address : config.addresses()) {
    if (IsMailboxAddress(address)) {
      builder.Listen(address, TestMailboxOptions(), ListenerOptionsOf(config));
    } else if (IsShmAddress(address)) {
      builder.Listen(address, ListenerOptionsOf(config));
    } else {
      builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    }
  }
  absl::Status error;
  std::unique_ptr<Server> server = builder.BuildAndStart(&error);
  if (server == nullptr) return error;
  return std::make_unique<ShmServer>(std::move(server));
}

}  // namespace testing
}  // namespace grpc_shm
