// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_COMPLETION_THREAD_H_
#define GRPC_SHM_TRANSPORT_GRPC_COMPLETION_THREAD_H_

#include <grpcpp/completion_queue.h>

#include <memory>
#include <thread>
#include <utility>

namespace grpc_shm {

// A completion queue with a thread that runs what completes on it, and sleeps
// otherwise. gRPC's own threads for callbacks (1.51) wake up every second, and
// then don't look for 100 ms.
class CompletionThread {
 public:
  // A tag of the queue.
  class Tag {
   public:
    virtual ~Tag() = default;
    virtual void Run(bool ok) = 0;
  };

  explicit CompletionThread(std::unique_ptr<grpc::CompletionQueue> queue)
      : queue_(std::move(queue)), thread_([this] { Run(); }) {}
  CompletionThread(const CompletionThread&) = delete;
  CompletionThread& operator=(const CompletionThread&) = delete;
  ~CompletionThread() { Stop(); }

  // Waits for what has been started; nothing must be any more. A server whose
  // queue it is must have been shut down, and still be there.
  void Stop() {
    if (!thread_.joinable()) return;
    queue_->Shutdown();
    thread_.join();
  }

  grpc::CompletionQueue* queue() { return queue_.get(); }

 private:
  void Run() {
    void* tag;
    bool ok;
    while (queue_->Next(&tag, &ok)) static_cast<Tag*>(tag)->Run(ok);
  }

  const std::unique_ptr<grpc::CompletionQueue> queue_;
  std::thread thread_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_COMPLETION_THREAD_H_
