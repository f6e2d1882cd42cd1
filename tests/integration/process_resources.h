// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_PROCESS_RESOURCES_H_
#define GRPC_SHM_TESTS_INTEGRATION_PROCESS_RESOURCES_H_

#include <sys/types.h>

#include <ostream>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"

namespace grpc_shm {
namespace testing {

// What a process holds, as /proc tells.
struct ProcessResources {
  int descriptors = 0;
  int memfd_mappings = 0;
  int threads = 0;
};

ProcessResources ResourcesOf(pid_t pid);

std::ostream& operator<<(std::ostream& out, const ProcessResources& resources);

// Asks until it is true; false if it does not become so in time. For what
// another process does in its own time and announces to nobody.
bool Eventually(absl::FunctionRef<bool()> condition,
                absl::Duration timeout = absl::Seconds(10));

// What the rendezvous directory has of a "shm:" address, beside its lock file.
std::vector<std::string> LeftOf(const std::string& address);

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_PROCESS_RESOURCES_H_
