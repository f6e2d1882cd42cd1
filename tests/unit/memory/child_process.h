// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_UNIT_MEMORY_CHILD_PROCESS_H_
#define GRPC_SHM_TESTS_UNIT_MEMORY_CHILD_PROCESS_H_

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/status/status.h"

namespace grpc_shm {

// Runs `body` in a forked child, for instance because it spoils the process's
// limits, and returns the code of the status that it ended with; kUnknown when
// the child did not end by itself.
template <class Body>
absl::StatusCode CodeInChild(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(static_cast<int>(body().code()));
  int ended = 0;
  if (child < 0 || waitpid(child, &ended, 0) != child || !WIFEXITED(ended)) {
    return absl::StatusCode::kUnknown;
  }
  return static_cast<absl::StatusCode>(WEXITSTATUS(ended));
}

// Lowers a limit of this process (for good, so: of a child).
inline absl::Status LowerLimit(int resource, rlim_t limit) {
  const rlimit both = {limit, limit};
  if (setrlimit(static_cast<__rlimit_resource>(resource), &both) != 0) {
    return absl::InternalError("setrlimit");
  }
  return absl::OkStatus();
}

}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_UNIT_MEMORY_CHILD_PROCESS_H_
