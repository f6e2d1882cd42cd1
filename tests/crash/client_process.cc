// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/crash/client_process.h"

#include <utility>

#include "gtest/gtest.h"

namespace grpc_shm {
namespace testing {

std::unique_ptr<ChildProcess> NewClientProcess(const std::string& target,
                                               Transport transport) {
  auto client = std::make_unique<ChildProcess>("call_driver");
  Connect(*client, target, transport);
  return client;
}

void Connect(ChildProcess& client, const std::string& target,
             Transport transport) {
  ControlRequest request;
  request.mutable_connect()->set_target(target);
  request.mutable_connect()->set_without_typed_calls(
      !MakesTypedCalls(transport));
  EXPECT_EQ(client.Command(request).code(), 0);
}

CallResult CallFrom(ChildProcess& client) {
  ControlRequest request;
  request.mutable_start_calls()->set_count(1);
  request.mutable_start_calls()->set_timeout_ms(
      absl::ToInt64Milliseconds(kPatience));
  EXPECT_EQ(client.Command(request).code(), 0);
  request.mutable_await_calls()->set_timeout_ms(
      absl::ToInt64Milliseconds(kPatience));
  const ControlReply reply = client.Command(request);
  EXPECT_EQ(reply.results_size(), 1) << reply.message();
  return reply.results_size() == 1 ? reply.results(0) : CallResult();
}

std::unique_ptr<TestServer> StartServerAt(const std::string& address) {
  ServerConfig config;
  config.add_addresses(address);
  auto server = TestServer::Start(Transport::kShm, config);
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? *std::move(server) : nullptr;
}

}  // namespace testing
}  // namespace grpc_shm
