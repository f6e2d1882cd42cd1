// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_WORKER_POOL_H_
#define GRPC_SHM_TESTS_INTEGRATION_WORKER_POOL_H_

#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace grpc_shm {
namespace testing {

// Runs each task on a thread of its own, reusing idle ones: a task may block
// as long as it likes without holding up another. The destructor waits for all.
class WorkerPool {
 public:
  WorkerPool() = default;
  ~WorkerPool();

  void Run(std::function<void()> task);

 private:
  void Work();

  absl::Mutex mutex_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  size_t idle_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

// The result of one operation, which another thread completes.
class PendingOp {
 public:
  void Complete(bool ok) {
    absl::MutexLock lock(&mutex_);
    ok_ = ok;
    done_ = true;
  }

  // Returns what it was completed with; afterwards it may be used again.
  bool Wait() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&done_));
    done_ = false;
    return ok_;
  }

 private:
  absl::Mutex mutex_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  bool ok_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_WORKER_POOL_H_
