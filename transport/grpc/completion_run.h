// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_COMPLETION_RUN_H_
#define GRPC_SHM_TRANSPORT_GRPC_COMPLETION_RUN_H_

#include "absl/types/optional.h"
#include "transport/grpc/client_channel.h"
#include "transport/grpc/grpc_access.h"

namespace grpc_shm {

// While it lives, operations of asynchronous applications that become complete
// on this thread are a run. An application takes them from its queue in that
// order; so only the last of a run for one queue need be shown to an
// interceptor again, which tells that the application has taken them all.
//
// Threads: the one that makes it. One in another is a run of its own.
class CompletionRun {
 public:
  CompletionRun();
  ~CompletionRun();
  CompletionRun(const CompletionRun&) = delete;
  CompletionRun& operator=(const CompletionRun&) = delete;

  // Completes operations that may be shown again, or does so a little later,
  // when it is known whether more follow in this thread's run.
  static void Complete(ClientChannel* channel,
                       const TakenOperations& operations);

 private:
  struct Held {
    const ClientChannel* channel;
    TakenOperations operations;
  };

  static thread_local CompletionRun* current_;

  CompletionRun* const outer_;
  absl::optional<Held> last_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_COMPLETION_RUN_H_
