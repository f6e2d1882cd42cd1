// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_CRASH_LIFETIME_PROCESS_H_
#define GRPC_SHM_TESTS_CRASH_LIFETIME_PROCESS_H_

#include <sys/types.h>

#include <string>

namespace grpc_shm {
namespace testing {

// lifetime_program as a child. The destructor kills it and its own child.
class LifetimeProcess {
 public:
  LifetimeProcess(const std::string& mode, const std::string& address);
  ~LifetimeProcess();
  LifetimeProcess(const LifetimeProcess&) = delete;
  LifetimeProcess& operator=(const LifetimeProcess&) = delete;

  pid_t pid() const { return pid_; }

  // Waits for its announcement; returns the pid of its child, 0 for none, -1 if
  // it is gone.
  pid_t AwaitReady();

  // SIGKILL; returns the time of the signal (MonotonicNanos()) once the process
  // is gone.
  int64_t Kill();

  // Its exit status as of waitpid; it is killed if it does not end in time.
  int AwaitEnd();

 private:
  pid_t pid_ = 0;
  pid_t child_ = 0;
  int output_ = -1;
};

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_CRASH_LIFETIME_PROCESS_H_
