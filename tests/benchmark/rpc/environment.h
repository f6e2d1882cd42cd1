// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_ENVIRONMENT_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_ENVIRONMENT_H_

#include <optional>
#include <string>

namespace grpc_shm::bench {

// Where figures were measured: enough to tell why two runs differ.
struct Environment {
  std::string cpu;
  int cores = 0;
  std::string kernel;
  std::string grpc;
  std::string compiler;
  std::string date;  // UTC, RFC 3339
  std::string
      load;  // the load averages over 1, 5 and 15 minutes, before the run
};

// Asks the machine; what can't be found out is "unknown".
Environment DescribeEnvironment();

// Why figures of this build would mislead, and how to run the `benchmark` (its
// Bazel label) instead; std::nullopt when they are fit to be shown.
std::optional<std::string> WhyBuildIsUnfit(
    const std::string& benchmark = "//tests/benchmark:rpc_benchmark");

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_ENVIRONMENT_H_
