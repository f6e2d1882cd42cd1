// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_GENERIC_CLIENT_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_GENERIC_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "tests/benchmark/rpc/closed_loop.h"
#include "tests/benchmark/rpc/echo.pb.h"

namespace grpc_shm::bench {

// What a client without generated code needs: it calls methods by name, and
// what it sends and receives are bytes.
inline constexpr char kUnaryMethod[] = "/grpc_shm.bench.Echo/Unary";
inline constexpr char kPingPongMethod[] = "/grpc_shm.bench.Echo/PingPong";

grpc::ByteBuffer ToBytes(const Payload& message);
absl::Status FromBytes(grpc::ByteBuffer* bytes, Payload* message);

// The same exchanges as with generated stubs, by a grpc::GenericStub and a
// completion queue that the calling thread waits on. Payloads are serialized
// and parsed within Run(), as generated stubs do.
std::unique_ptr<Exchange> MakeGenericUnaryExchange(
    const std::shared_ptr<grpc::ChannelInterface>& channel, size_t bytes);
std::unique_ptr<Exchange> MakeGenericPingPongExchange(
    const std::shared_ptr<grpc::ChannelInterface>& channel, size_t bytes);

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_GENERIC_CLIENT_H_
