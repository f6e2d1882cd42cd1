// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/completion_run.h"

#include <utility>

namespace grpc_shm {

thread_local CompletionRun* CompletionRun::current_ = nullptr;

CompletionRun::CompletionRun() : outer_(std::exchange(current_, this)) {}

CompletionRun::~CompletionRun() {
  current_ = outer_;
  if (last_.has_value()) last_->operations.Complete();
}

void CompletionRun::Complete(ClientChannel* channel,
                             const TakenOperations& operations) {
  CompletionRun* const run = current_;
  // Callbacks run in any order.
  if (run == nullptr || operations.is_callback()) {
    channel->CountUntaken(1);
    operations.Complete();
    return;
  }
  // To complete operations may run what the application does.
  const absl::optional<Held> last =
      std::exchange(run->last_, Held{channel, operations});
  if (last.has_value() && last->channel == channel &&
      last->operations.queue() == operations.queue()) {
    last->operations.CompleteUnshown();
    return;
  }
  channel->CountUntaken(1);
  if (last.has_value()) last->operations.Complete();
}

}  // namespace grpc_shm
