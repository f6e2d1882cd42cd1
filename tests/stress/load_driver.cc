// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A client process under load, which the test stops, kills or starves. Of
// control.proto it knows Connect, once per target; SubscribeToMailbox, for the
// mailbox of raw messages; StartCalls, whose count is
// that of the threads; AwaitCalls, which ends the load: results with a code are
// errors; LimitResource.

#include <unistd.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tests/integration/control_socket.h"
#include "tests/stress/mixed_load.h"
#include "transport/stats.h"

namespace grpc_shm {
namespace testing {
namespace {

class LoadDriver {
 public:
  ControlReply Handle(const ControlRequest& request) {
    ControlReply reply;
    switch (request.command_case()) {
      case ControlRequest::kConnect:
        options_.targets.push_back(request.connect().target());
        break;
      case ControlRequest::kSubscribe:
        options_.mailbox = request.subscribe().mailbox();
        break;
      case ControlRequest::kStartCalls:
        options_.threads = request.start_calls().count();
        options_.seed = static_cast<uint32_t>(getpid());
        load_ = std::make_unique<MixedLoad>(options_);
        break;
      case ControlRequest::kAwaitCalls:
        return End();
      case ControlRequest::kLimitResource:
        return ApplyLimit(request.limit_resource());
      default:
        reply.set_code(static_cast<int>(absl::StatusCode::kInvalidArgument));
    }
    return reply;
  }

 private:
  ControlReply End() {
    const MixedLoad::Totals totals = load_->Stop();
    ControlReply reply;
    reply.set_count(totals.succeeded);
    for (const std::string& error : totals.errors) {
      CallResult* const result = reply.add_results();
      result->set_code(static_cast<int>(absl::StatusCode::kInternal));
      result->set_message(error);
    }
    if (LostWakeups() > 0) {
      CallResult* const result = reply.add_results();
      result->set_code(static_cast<int>(absl::StatusCode::kInternal));
      result->set_message(absl::StrCat(LostWakeups(), " lost wake-ups"));
    }
    return reply;
  }

  MixedLoad::Options options_;
  std::unique_ptr<MixedLoad> load_;
};

int Main() {
  LoadDriver driver;
  return ServeControl([&driver](const ControlRequest& request) {
    return driver.Handle(request);
  });
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm

int main() { return grpc_shm::testing::Main(); }
