// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/local_server.h"

#include "absl/status/status.h"
#include "grpcpp/security/server_credentials.h"
#include "gtest/gtest.h"
#include "tests/integration/test_server.h"

namespace grpc_shm {
namespace testing {

std::string WayName(Way way) {
  switch (way) {
    case Way::kInline:
      return "inline";
    case Way::kUniversal:
      return "universal";
    default:
      return "socket";
  }
}

LocalServer::LocalServer(const std::vector<grpc::Service*>& services,
                         const ListenerOptions& options,
                         const Configuration& configure)
    : inline_address_(NewAddress(Transport::kShm)),
      universal_address_(NewAddress(Transport::kShm)),
      socket_(NewAddress(Transport::kUnix)) {
  ListenerOptions universal = options;
  universal.inline_dispatch = false;
  ServerBuilder builder;
  builder.Listen(inline_address_, options);
  builder.Listen(universal_address_, universal);
  builder.AddListeningPort(socket_, grpc::InsecureServerCredentials());
  for (grpc::Service* service : services) builder.RegisterService(service);
  if (configure != nullptr) configure(&builder);
  absl::Status error;
  server_ = builder.BuildAndStart(&error);
  EXPECT_NE(server_, nullptr) << error;
}

LocalServer::~LocalServer() {
  if (server_ != nullptr) server_->Shutdown();
}

ChannelPtr LocalServer::NewChannel(Way way,
                                   const grpc::ChannelArguments& arguments) {
  switch (way) {
    case Way::kInline:
      return MakeChannel(inline_address_, arguments);
    case Way::kUniversal:
      return MakeChannel(universal_address_, arguments);
    default: {
      grpc::ChannelArguments own = arguments;
      own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      return MakeChannel(socket_, own);
    }
  }
}

}  // namespace testing
}  // namespace grpc_shm
