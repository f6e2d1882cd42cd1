// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_COMPLETION_PUMP_H_
#define GRPC_SHM_TESTS_INTEGRATION_COMPLETION_PUMP_H_

#include <functional>
#include <memory>
#include <thread>

#include "grpcpp/completion_queue.h"
#include "tests/integration/worker_pool.h"

namespace grpc_shm {
namespace testing {

// A completion queue and the thread that runs what its tags say. The destructor
// shuts the queue down and waits until it is empty.
class CompletionPump {
 public:
  explicit CompletionPump(std::unique_ptr<grpc::CompletionQueue> queue)
      : queue_(std::move(queue)), thread_([this] { Pump(); }) {}

  ~CompletionPump() {
    queue_->Shutdown();
    thread_.join();
  }

  grpc::CompletionQueue* queue() { return queue_.get(); }

  // A tag that runs `then` once, on the pump's thread.
  void* Then(std::function<void(bool ok)> then) {
    return new std::function<void(bool)>(std::move(then));
  }

  // A tag that completes `op`.
  void* Completing(PendingOp* op) {
    return Then([op](bool ok) { op->Complete(ok); });
  }

  // For a tag that gRPC will never return.
  static void Drop(void* tag) {
    delete static_cast<std::function<void(bool)>*>(tag);
  }

 private:
  void Pump() {
    void* tag;
    bool ok;
    while (queue_->Next(&tag, &ok)) {
      std::unique_ptr<std::function<void(bool)>> then(
          static_cast<std::function<void(bool)>*>(tag));
      (*then)(ok);
    }
  }

  std::unique_ptr<grpc::CompletionQueue> queue_;
  std::thread thread_;
};

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_COMPLETION_PUMP_H_
