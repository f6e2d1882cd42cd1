// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_SERVER_HOST_H_
#define GRPC_SHM_TESTS_INTEGRATION_SERVER_HOST_H_

#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "tests/integration/control.pb.h"
#include "tests/integration/echo_implementation.h"
#include "tests/integration/observer.h"
#include "tests/integration/running_server.h"

namespace grpc_shm {
namespace testing {

// The server of the tests: EchoService, AdditionService and what the test may
// ask about them. Lives in a process of its own (echo_server), or in the
// test's for the in-process channel.
class ServerHost {
 public:
  static absl::StatusOr<std::unique_ptr<ServerHost>> Start(
      const ServerConfig& config);
  // Cancels all calls.
  ~ServerHost();

  // Every command but Start. One at a time.
  ControlReply Handle(const ControlRequest& request);

  grpc::Server* grpc_server() { return server_->grpc_server(); }

 private:
  ServerHost() = default;

  Observer observer_;
  std::unique_ptr<EchoImplementation> echo_;
  std::unique_ptr<grpc::Service> addition_;
  std::unique_ptr<RunningServer> server_;
  std::thread shutdown_;
};

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_SERVER_HOST_H_
