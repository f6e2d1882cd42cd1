// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/connectivity.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "transport/grpc/convert.h"

namespace grpc_shm {

grpc_connectivity_state Connectivity::state() const {
  absl::MutexLock lock(&mu_);
  return state_;
}

void Connectivity::Set(grpc_connectivity_state state, Tellers* tellers) {
  absl::MutexLock lock(&mu_);
  if (state_ == state) return;
  state_ = state;
  auto changed = std::partition(
      watchers_.begin(), watchers_.end(),
      [state](const Watcher& watcher) { return watcher.last == state; });
  for (auto it = changed; it != watchers_.end(); ++it)
    tellers->push_back(std::move(it->teller));
  watchers_.erase(changed, watchers_.end());
}

void Connectivity::Tell(const Tellers& tellers) {
  for (const auto& teller : tellers) teller->GetState(/*try_to_connect=*/true);
}

bool Connectivity::WaitForChange(grpc_connectivity_state last,
                                 absl::Time deadline) {
  const auto changed = [this, last]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return state_ != last;
  };
  absl::MutexLock lock(&mu_);
  return mu_.AwaitWithDeadline(absl::Condition(&changed), deadline);
}

void Connectivity::NotifyOnChange(grpc_connectivity_state last,
                                  gpr_timespec deadline,
                                  grpc::CompletionQueue* queue, void* tag) {
  // Its target is never reached, nor meant to be.
  const std::shared_ptr<grpc::Channel> teller = grpc::CreateChannel(
      "unix:/dev/null/grpc-shm", grpc::InsecureChannelCredentials());
  teller->NotifyOnStateChange(GRPC_CHANNEL_IDLE, deadline, queue, tag);
  const absl::Time now = absl::Now();
  bool changed;
  {
    absl::MutexLock lock(&mu_);
    watchers_.erase(std::remove_if(watchers_.begin(), watchers_.end(),
                                   [now](const Watcher& watcher) {
                                     return watcher.deadline < now;
                                   }),
                    watchers_.end());
    changed = state_ != last;
    if (!changed) {
      watchers_.push_back({last, now + TimeLeft(deadline), teller});
    }
  }
  if (changed) Tell({teller});
}

}  // namespace grpc_shm
