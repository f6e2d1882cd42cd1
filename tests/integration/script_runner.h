// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_SCRIPT_RUNNER_H_
#define GRPC_SHM_TESTS_INTEGRATION_SCRIPT_RUNNER_H_

#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "grpcpp/server_context.h"
#include "tests/integration/control.pb.h"
#include "tests/integration/echo.pb.h"
#include "tests/integration/observer.h"

namespace grpc_shm {
namespace testing {

// One call as a handler sees it, whatever API the service was written with:
// every operation blocks until it is done and tells whether it succeeded.
// Calls that carry a single request or reply read and write it as a stream of
// one.
struct ServerCall {
  CallKind kind;
  grpc::ServerContextBase* context;
  std::function<bool()> send_initial_metadata;
  std::function<bool(EchoRequest*)> read;
  std::function<bool(const EchoReply&)> write;
  // Returns when the call was cancelled.
  std::function<void()> wait_for_cancellation;
};

// Does what the call's script says (see echo.proto). Returns the status to
// finish the call with.
grpc::Status RunScript(const ServerCall& call, Observer& observer);

// The key of the call's script; empty without one.
std::string ScriptKey(const grpc::ServerContextBase& context);

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_SCRIPT_RUNNER_H_
