// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// However a process ends, it ends: with channels, servers and calls left, on
// any thread, inside of callbacks and handlers.

#include <stdio.h>
#include <sys/wait.h>

#include <string>

#include "tests/crash/client_process.h"
#include "tests/crash/lifetime_process.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

class LifetimeTest : public ::testing::TestWithParam<const char*> {};

TEST_P(LifetimeTest, EndsInTime) {
  const std::string address = NewAddress(Transport::kShm);
  const std::string mode = GetParam();
  std::unique_ptr<TestServer> server;
  const bool serves = mode == "static-server" || mode == "exit-in-a-handler" ||
                      mode == "destroy-in-a-handler";
  if (!serves) server = StartServerAt(address);
  LifetimeProcess process(mode, address);
  const int status = process.AwaitEnd();
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  if (serves) server = StartServerAt(address);  // its name is free
  EXPECT_THAT(CallUnary(server->NewChannel({})), IsOk());
}

INSTANTIATE_TEST_SUITE_P(
    Modes, LifetimeTest,
    ::testing::Values(
        "static-channel", "static-channel-that-never-called",
        "return-from-main-with-open-calls", "exit-with-open-calls",
        "exit-in-a-callback", "exit-on-another-thread", "exit-in-a-handler",
        "destroy-in-a-callback", "destroy-in-a-callback-with-open-calls",
        "destroy-in-a-handler", "destroy-on-another-thread-with-open-calls",
        "static-server"),
    [](const auto& info) {
      std::string name;
      bool capital = true;
      for (const char* at = info.param; *at != 0; ++at) {
        if (*at == '-') {
          capital = true;
        } else {
          name += capital ? toupper(*at) : *at;
          capital = false;
        }
      }
      return name;
    });

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
