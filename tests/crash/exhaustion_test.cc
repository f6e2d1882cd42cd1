// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A process that has no descriptors or no memory left gets an answer, and so
// does who wants to talk to it.

#include "tests/crash/client_process.h"
#include "tests/integration/transport_test.h"
#include "transport/channel.h"
#include "transport/options.h"

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::HasSubstr;

TEST(Exhaustion, OfAClientsDescriptorsFailsItsCalls) {
  const std::string address = NewAddress(Transport::kShm);
  auto server = StartServerAt(address);
  for (int spare : {0, 1, 2, 3}) {
    // A channel that cannot connect makes what each process has once.
    auto client = NewClientProcess(NewAddress(Transport::kShm));
    EXPECT_EQ(CallFrom(*client).code(), grpc::StatusCode::UNAVAILABLE);
    ControlRequest request;
    request.mutable_limit_resource()->set_spare(spare);
    ASSERT_EQ(client->Command(request).code(), 0);
    Connect(*client, address);
    const CallResult result = CallFrom(*client);
    EXPECT_EQ(result.code(), grpc::StatusCode::RESOURCE_EXHAUSTED)
        << spare << " descriptors left: " << result.message();
    EXPECT_THAT(result.message(), HasSubstr("shm:"));
  }
  EXPECT_THAT(CallUnary(CreateChannel(address)), IsOk());
}

TEST(Exhaustion, OfAServersDescriptorsIsToldToItsClients) {
  for (int spare : {1, 2, 3}) {
    const std::string address = NewAddress(Transport::kShm);
    auto server = StartServerAt(address);
    // Keeps its descriptors through the limitation.
    ChannelPtr first = CreateChannel(address);
    ASSERT_THAT(CallUnary(first), IsOk());
    ControlRequest request;
    request.mutable_limit_resource()->set_spare(spare);
    ASSERT_EQ(server->Command(request).code(), 0);
    const grpc::Status status = CallUnary(CreateChannel(address));
    EXPECT_THAT(status, HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED)) << spare;
    EXPECT_THAT(status.error_message(), HasSubstr(address));
    EXPECT_THAT(CallUnary(first), IsOk());
  }
}

TEST(Exhaustion, OfAServersMemoryIsToldToItsClients) {
  const std::string address = NewAddress(Transport::kShm);
  auto server = StartServerAt(address);
  ASSERT_THAT(CallUnary(CreateChannel(address)), IsOk());
  ControlRequest request;
  request.mutable_limit_resource()->set_address_space(true);
  request.mutable_limit_resource()->set_spare(230 << 20);
  ASSERT_EQ(server->Command(request).code(), 0);
  // Two rings of this size, each mapped twice in a row, don't fit into that.
  grpc::ChannelArguments arguments;
  arguments.SetInt(kRingBytesArg, 64 << 20);
  const grpc::Status status =
      CallUnary(CreateChannel(address, nullptr, arguments));
  EXPECT_THAT(status, HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_THAT(status.error_message(), HasSubstr(address));
  // Smaller ones do.
  EXPECT_THAT(CallUnary(CreateChannel(address)), IsOk());
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
