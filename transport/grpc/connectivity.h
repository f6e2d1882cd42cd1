// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_CONNECTIVITY_H_
#define GRPC_SHM_TRANSPORT_GRPC_CONNECTIVITY_H_

#include <grpc/grpc.h>
#include <grpcpp/channel.h>

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace grpc_shm {

// A channel's connectivity state, and who waits for it to change. Threads: any.
class Connectivity {
 public:
  // Whom to tell of a change. A channel of gRPC's own tells an application's
  // completion queue, once; it is made for this alone: its state changes when
  // it is told to connect.
  using Tellers = std::vector<std::shared_ptr<grpc::Channel>>;

  grpc_connectivity_state state() const;

  // Adds those who are to be told, by Tell, once the caller has no lock.
  void Set(grpc_connectivity_state state, Tellers* tellers);
  static void Tell(const Tellers& tellers);

  // Whether the state changed from `last` before the deadline.
  bool WaitForChange(grpc_connectivity_state last, absl::Time deadline);
  // Puts `tag` on `queue`: with ok when the state changed from `last`, without
  // when the deadline passed.
  void NotifyOnChange(grpc_connectivity_state last, gpr_timespec deadline,
                      grpc::CompletionQueue* queue, void* tag);

 private:
  struct Watcher {
    grpc_connectivity_state last;
    absl::Time deadline;
    std::shared_ptr<grpc::Channel> teller;
  };

  mutable absl::Mutex mu_;
  grpc_connectivity_state state_ ABSL_GUARDED_BY(mu_) = GRPC_CHANNEL_IDLE;
  std::vector<Watcher> watchers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_CONNECTIVITY_H_
