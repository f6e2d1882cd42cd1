// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/base/fork.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "transport/base/mutex.h"

namespace grpc_shm {
namespace {

// Never destroyed: processes fork in static destructors, too.
struct Descriptors {
  // Held through fork(), and never while another lock is taken.
  Mutex mu;
  std::vector<int> all ABSL_GUARDED_BY(mu);
};

Descriptors& TheDescriptors();

// The three are called by fork(), in the parent, in the parent, and in the
// child: the analysis does not see that.
void BeforeFork() ABSL_NO_THREAD_SAFETY_ANALYSIS { TheDescriptors().mu.Lock(); }
void AfterForkInParent() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  TheDescriptors().mu.Unlock();
}
// Allocates nothing, and takes no lock.
void AfterForkInChild() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  fork_internal::generation.fetch_add(1, std::memory_order_relaxed);
  Descriptors& descriptors = TheDescriptors();
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int fd : descriptors.all) {
    // The number stays taken: its owner will close it.
    if (null < 0 || dup3(null, fd, O_CLOEXEC) < 0) close(fd);
  }
  if (null >= 0) close(null);
  descriptors.all.clear();
  descriptors.mu.Unlock();
  // Where Abseil is built to look for deadlocks (Debian's is), each of gRPC's
  // locks takes a global one for that, which any thread of the parent's may
  // have held.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

Descriptors& TheDescriptors() {
  static Descriptors* const descriptors = [] {
    auto* const made = new Descriptors;
    pthread_atfork(&BeforeFork, &AfterForkInParent, &AfterForkInChild);
    return made;
  }();
  return *descriptors;
}

}  // namespace

void PrepareForFork() { TheDescriptors(); }

void KeepFromChildren(int fd) {
  Descriptors& descriptors = TheDescriptors();
  MutexLock lock(&descriptors.mu);
  descriptors.all.push_back(fd);
}

void ForgetDescriptor(int fd) {
  Descriptors& descriptors = TheDescriptors();
  MutexLock lock(&descriptors.mu);
  const auto found =
      std::find(descriptors.all.begin(), descriptors.all.end(), fd);
  if (found == descriptors.all.end()) return;
  *found = descriptors.all.back();
  descriptors.all.pop_back();
}

}  // namespace grpc_shm
