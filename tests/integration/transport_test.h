// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_TRANSPORT_TEST_H_
#define GRPC_SHM_TESTS_INTEGRATION_TRANSPORT_TEST_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "tests/integration/client_call.h"
#include "tests/integration/echo.pb.h"
#include "tests/integration/observer.h"
#include "tests/integration/steps.h"
#include "tests/integration/test_server.h"

namespace grpc_shm {
namespace testing {

// The fixture of every body that runs over several transports. gRPC's own are
// the oracle: what holds for shm must have been seen to hold for them.
class TransportTest : public ::testing::TestWithParam<Transport> {
 protected:
  // The server of this test; fails the test if it does not start.
  void StartServer(const ServerConfig& config = {});
  TestServer& server() { return *server_; }
  // Kills it, if it is a process.
  void RemoveServer() { server_.reset(); }

  // Channels share nothing: gRPC would have channels with equal arguments
  // share a connection.
  ChannelPtr NewChannel(grpc::ChannelArguments arguments = {});

 private:
  std::unique_ptr<TestServer> server_;
};

// Arguments for gRPC's own test suites and ours: instantiates `suite` over the
// transports, with the transport's name as the last part of the test's name.
#define GRPC_SHM_INSTANTIATE(suite, ...)                     \
  INSTANTIATE_TEST_SUITE_P(                                  \
      Transports, suite, ::testing::ValuesIn(__VA_ARGS__()), \
      [](const auto& info) { return TransportName(info.param); })

// All ways through shared memory to a server with a name.
std::vector<Transport> ShmTransports();
std::vector<Transport> AllTransports();
// Where client and server are processes, between which there is a connection:
// the in-process channel has neither, so there is no state of it, no absence
// or death of its server; and a call in a mailbox waits for any server.
std::vector<Transport> ConnectedTransports();
// Where they are processes that can die: these, and mailboxes.
std::vector<Transport> TransportsBetweenProcesses();

// A context that gives a test's call up after kPatience, so that a call which
// hangs fails its test instead of blocking it.
std::unique_ptr<grpc::ClientContext> NewContext(
    absl::Duration timeout = kPatience);
// With a script in its metadata.
std::unique_ptr<grpc::ClientContext> NewContext(
    const Script& script, absl::Duration timeout = kPatience);
void AddScript(const Script& script, grpc::ClientContext* context);

EchoRequest PatternRequest(size_t bytes, uint32_t seed);

// One sync unary call; the reply may be null.
grpc::Status CallUnary(const ChannelPtr& channel, grpc::ClientContext* context,
                       const EchoRequest& request = {},
                       EchoReply* reply = nullptr);
// The same with a context of its own.
grpc::Status CallUnary(const ChannelPtr& channel, const Script& script = {});

// Matches a grpc::Status.
MATCHER_P(HasCode, code, "") {
  *result_listener << "code " << arg.error_code() << ": "
                   << arg.error_message();
  return arg.error_code() == code;
}

inline auto IsOk() { return HasCode(grpc::StatusCode::OK); }

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_TRANSPORT_TEST_H_
