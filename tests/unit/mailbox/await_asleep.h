// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_UNIT_MAILBOX_AWAIT_ASLEEP_H_
#define GRPC_SHM_TESTS_UNIT_MAILBOX_AWAIT_ASLEEP_H_

#include <sched.h>
#include <sys/types.h>

#include <fstream>
#include <string>

namespace grpc_shm::testing {

// Returns when the thread sleeps, or has ended: to have others find it blocked,
// rather than about to be.
inline void AwaitAsleep(pid_t thread) {
  const std::string path = "/proc/" + std::to_string(thread) + "/stat";
  while (true) {
    std::string line;
    if (!std::getline(std::ifstream(path), line)) return;
    const size_t name_end = line.rfind(") ");
    if (name_end == line.npos || line[name_end + 2] == 'S' ||
        line[name_end + 2] == 'Z') {
      return;
    }
    sched_yield();
  }
}

}  // namespace grpc_shm::testing

#endif  // GRPC_SHM_TESTS_UNIT_MAILBOX_AWAIT_ASLEEP_H_
