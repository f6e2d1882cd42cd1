// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_UNARY_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_UNARY_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "tests/benchmark/rpc/closed_loop.h"
#include "tests/benchmark/rpc/scenarios.h"

namespace grpc_shm::bench {

// Unary calls on `channel`, as large as `cell` says and with its client.
std::unique_ptr<Exchange> MakeUnaryExchange(
    const Cell& cell, const std::shared_ptr<grpc::ChannelInterface>& channel);

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_UNARY_H_
