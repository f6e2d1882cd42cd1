// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_CRASH_CLIENT_PROCESS_H_
#define GRPC_SHM_TESTS_CRASH_CLIENT_PROCESS_H_

#include <memory>
#include <string>

#include "tests/integration/child_process.h"
#include "tests/integration/test_server.h"

namespace grpc_shm {
namespace testing {

// A client in a process of its own with a channel to `target`.
std::unique_ptr<ChildProcess> NewClientProcess(
    const std::string& target, Transport transport = Transport::kShm);

// Gives the process a channel to another target.
void Connect(ChildProcess& client, const std::string& target,
             Transport transport = Transport::kShm);

// One unary call by it.
CallResult CallFrom(ChildProcess& client);

// A server in a process of its own.
std::unique_ptr<TestServer> StartServerAt(const std::string& address);

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_CRASH_CLIENT_PROCESS_H_
