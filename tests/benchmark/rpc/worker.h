// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_WORKER_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_WORKER_H_

namespace grpc_shm::bench {

// The first argument of a process that is a worker of the benchmark, and the
// descriptor of its socket to it.
inline constexpr char kWorkerArgument[] = "--benchmark_worker";
inline constexpr int kWorkerSocket = 3;

// The whole life of a worker process: takes its job from `socket` (see
// WorkerJob), then serves or measures as it is told, until the other side
// closes. Returns the process' exit code.
int RunWorker(int socket);

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_WORKER_H_
