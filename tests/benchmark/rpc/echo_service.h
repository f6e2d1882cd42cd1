// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_ECHO_SERVICE_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_ECHO_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "tests/benchmark/rpc/echo.grpc.pb.h"

namespace grpc_shm::bench {

// The measured service: synchronous, generated, written as any user would.
// Thread-safe, it has no state.
class EchoService : public Echo::Service {
 public:
  grpc::Status Unary(grpc::ServerContext* context, const Payload* request,
                     Payload* reply) override;
  grpc::Status PingPong(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<Payload, Payload>* stream) override;
  grpc::Status Download(grpc::ServerContext* context,
                        const DownloadRequest* request,
                        grpc::ServerWriter<Payload>* writer) override;
};

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_ECHO_SERVICE_H_
