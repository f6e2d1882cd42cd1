// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/private_server.h"

#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>

#include <vector>

namespace grpc_shm {
namespace {

// The application may have plug-ins for every server it builds (reflection,
// say). Their services must not answer here, in place of those at the other end
// of the link.
class NoPlugins : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>*
                         plugins) override {
    plugins->clear();
  }
};

}  // namespace

std::unique_ptr<grpc::Server> BuildPrivateServer(grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(-1);
  builder->SetMaxSendMessageSize(-1);
  builder->SetOption(std::make_unique<NoPlugins>());
  builder->SetOption(
      std::make_unique<grpc::HealthCheckServiceServerBuilderOption>(nullptr));
  return builder->BuildAndStart();
}

}  // namespace grpc_shm
