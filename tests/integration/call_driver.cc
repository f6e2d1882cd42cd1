// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// The client process of the tests in which a client dies or lacks something:
// see control.proto.

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "tests/integration/client_call.h"
#include "tests/integration/control_socket.h"
#include "tests/integration/observer.h"
#include "tests/integration/payload.h"
#include "tests/integration/worker_pool.h"
#include "transport/channel.h"
#include "transport/options.h"

namespace grpc_shm {
namespace testing {
namespace {

class CallDriver {
 public:
  ControlReply Handle(const ControlRequest& request) {
    ControlReply reply;
    switch (request.command_case()) {
      case ControlRequest::kConnect:
        MakeChannel(request.connect());
        break;
      case ControlRequest::kStartCalls:
        for (int i = 0; i < request.start_calls().count(); ++i) {
          Start(request.start_calls());
        }
        break;
      case ControlRequest::kAwaitCalls:
        return Await(absl::Milliseconds(request.await_calls().timeout_ms()));
      case ControlRequest::kLimitResource:
        return ApplyLimit(request.limit_resource());
      case ControlRequest::kBecomeUser:
        return BecomeUser(request.become_user());
      default:
        reply.set_code(static_cast<int>(absl::StatusCode::kInvalidArgument));
    }
    return reply;
  }

 private:
  void MakeChannel(const Connect& connect) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(kTypedCallsArg, connect.without_typed_calls() ? 0 : 1);
    if (!connect.server_uids().empty()) {
      arguments.SetString(kServerUidsArg, connect.server_uids());
    }
    if (!connect.directory().empty()) {
      arguments.SetString(kDirectoryArg, connect.directory());
    }
    channel_ = grpc_shm::CreateChannel(
        connect.target(), grpc::InsecureChannelCredentials(), arguments);
  }

  void Start(const StartCalls& start) {
    {
      absl::MutexLock lock(&mutex_);
      ++running_;
    }
    workers_.Run([this, start] {
      const CallResult result = Run(start);
      absl::MutexLock lock(&mutex_);
      *ended_.add_results() = result;
      --running_;
    });
  }

  CallResult Run(const StartCalls& start) {
    grpc::ClientContext context;
    if (start.timeout_ms() != 0) {
      context.set_deadline(absl::ToChronoTime(
          absl::Now() + absl::Milliseconds(start.timeout_ms())));
    }
    context.AddMetadata("script-bin", start.script());
    EchoRequest request;
    request.set_payload(MakePayload(start.request_bytes(), 0));
    auto call = StartCall(StubFlavour::kCallback, start.kind(), channel_,
                          &context, request);
    while (start.keep_writing() && call->Write(request)) {
    }
    EchoReply reply;
    while (call->Read(&reply)) {
    }
    const grpc::Status status = call->Finish();
    CallResult result;
    result.set_code(status.error_code());
    result.set_message(status.error_message());
    result.set_monotonic_ns(MonotonicNanos());
    return result;
  }

  ControlReply Await(absl::Duration timeout) {
    auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return running_ == 0;
    };
    ControlReply reply;
    absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(&ended), timeout)) {
      reply.set_code(static_cast<int>(absl::StatusCode::kDeadlineExceeded));
      return reply;
    }
    reply.Swap(&ended_);
    return reply;
  }

  ChannelPtr channel_;
  absl::Mutex mutex_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  ControlReply ended_ ABSL_GUARDED_BY(mutex_);
  WorkerPool workers_;  // last: its threads use the rest
};

int Main() {
  CallDriver driver;
  return ServeControl([&driver](const ControlRequest& request) {
    return driver.Handle(request);
  });
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm

int main() { return grpc_shm::testing::Main(); }
