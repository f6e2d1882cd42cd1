// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_IDLE_CHANNELS_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_IDLE_CHANNELS_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/benchmark/rpc/scenarios.h"

namespace grpc_shm::bench {

using Channels = std::vector<std::shared_ptr<grpc::ChannelInterface>>;

// Makes `count` channels, each used for one call, as idle connections have
// been.
absl::StatusOr<Channels> MakeIdleChannels(
    const Cell& cell, const grpc::ChannelArguments& arguments, int count);

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_IDLE_CHANNELS_H_
