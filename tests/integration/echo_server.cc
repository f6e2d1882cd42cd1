// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// The server process of the integration tests: see control.proto.

#include <memory>

#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "tests/integration/control_socket.h"
#include "tests/integration/server_host.h"

namespace grpc_shm {
namespace testing {
namespace {

int Main() {
  // In every server that this process builds.
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  std::unique_ptr<ServerHost> host;
  return ServeControl([&host](const ControlRequest& request) {
    ControlReply reply;
    switch (request.command_case()) {
      case ControlRequest::kLimitResource:
        return ApplyLimit(request.limit_resource());
      case ControlRequest::kBecomeUser:
        return BecomeUser(request.become_user());
      case ControlRequest::kStart: {
        absl::StatusOr<std::unique_ptr<ServerHost>> started =
            ServerHost::Start(request.start());
        reply.set_code(static_cast<int>(started.status().code()));
        reply.set_message(std::string(started.status().message()));
        if (started.ok()) host = *std::move(started);
        return reply;
      }
      default:
        if (host != nullptr) return host->Handle(request);
        reply.set_code(static_cast<int>(absl::StatusCode::kFailedPrecondition));
        reply.set_message("not started");
        return reply;
    }
  });
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm

int main() { return grpc_shm::testing::Main(); }
