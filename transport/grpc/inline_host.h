// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_INLINE_HOST_H_
#define GRPC_SHM_TRANSPORT_GRPC_INLINE_HOST_H_

#include <grpcpp/impl/service_type.h>
#include <grpcpp/server.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "transport/grpc/inline_services.h"

namespace grpc_shm {

// What the inline calls of one listener share. Threads: any. Ownership: shared
// by the listener and the calls.
class InlineHost {
 public:
  InlineHost(const grpc::Server& server,
             const std::vector<grpc::Service*>& services, size_t max_handlers,
             int64_t max_send_message_bytes)
      : services_(server, services),
        max_handlers_(max_handlers),
        max_send_message_bytes_(max_send_message_bytes) {}

  const InlineServices& services() const { return services_; }
  int64_t max_send_message_bytes() const { return max_send_message_bytes_; }
  // Handlers that were begun so far.
  uint64_t calls() const { return calls_.load(std::memory_order_relaxed); }

  // A handler that runs, or would. Used by its thread.
  class Turn {
   public:
    explicit Turn(InlineHost* host) : host_(host) {
      host_->running_.fetch_add(1);
      has_place_ = host_->places_taken_.fetch_add(1) < host_->max_handlers_;
      if (has_place_) {
        host_->calls_.fetch_add(1, std::memory_order_relaxed);
      } else {
        host_->places_taken_.fetch_sub(1);
      }
    }
    ~Turn() {
      GiveUpPlace();
      if (host_->running_.fetch_sub(1) == 1 && host_->awaited_.load()) {
        absl::MutexLock lock(&host_->mu_);  // has the condition looked at
      }
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    // False: there are too many handlers, or this one is about to end.
    bool has_place() const { return has_place_; }

    // Before the call's status leaves: who has that finds the place free.
    void GiveUpPlace() {
      if (std::exchange(has_place_, false)) host_->places_taken_.fetch_sub(1);
    }

   private:
    InlineHost* const host_;
    bool has_place_;
  };

  // Until no handler runs. No more may be about to begin.
  void AwaitNone() {
    awaited_.store(true);
    const auto none = [this] { return running_.load() == 0; };
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(&none));
  }

 private:
  const InlineServices services_;
  const size_t max_handlers_;
  const int64_t max_send_message_bytes_;

  std::atomic<uint64_t> calls_{0};
  // Sequentially consistent: whoever ends the last handler sees that it is
  // awaited, or is seen to have ended it.
  std::atomic<size_t> running_{0};
  std::atomic<bool> awaited_{false};
  std::atomic<size_t> places_taken_{0};
  absl::Mutex mu_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_INLINE_HOST_H_
