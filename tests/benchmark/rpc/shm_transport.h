// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_SHM_TRANSPORT_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_SHM_TRANSPORT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tests/benchmark/rpc/transports.h"
#include "transport/options.h"

namespace grpc_shm::bench {

// What Transport wants of this project's own transport, with both sides waiting
// as kPolicy says. There is a definition for each policy.
template <WaitPolicy kPolicy>
absl::StatusOr<std::unique_ptr<BenchmarkServer>> ServeShm(
    const std::string& directory, grpc::Service* service);
template <WaitPolicy kPolicy>
std::shared_ptr<grpc::ChannelInterface> ConnectShm(
    const std::string& address, const grpc::ChannelArguments& arguments);

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_SHM_TRANSPORT_H_
