// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_WORKER_PROCESS_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_WORKER_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/benchmark/rpc/measurement.pb.h"
#include "tests/benchmark/rpc/transports.h"
#include "transport/base/unique_fd.h"

namespace grpc_shm::bench {

// A process of this same program that was started anew as a worker, so that it
// shares nothing with the others: no thread, no allocator, no gRPC. The
// destructor ends it: it is asked to, and killed when it does not within some
// seconds.
//
// Thread-compatible.
class WorkerProcess {
 public:
  // Starts the process and waits until it is ready. Fails with what the worker
  // says, or DEADLINE_EXCEEDED.
  static absl::StatusOr<std::unique_ptr<WorkerProcess>> Start(
      const WorkerJob& job);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  pid_t pid() const { return pid_; }
  // Where a server listens.
  const std::string& address() const { return address_; }

  // Lets a client measure; the result is taken with Receive().
  absl::Status Send(const CellRequest& request);
  // The measurement, or with `*alive` still true why there is none. When the
  // worker is gone or does not answer in time `*alive` becomes false.
  absl::StatusOr<Measurement> Receive(absl::Duration timeout, bool* alive);

 private:
  WorkerProcess(pid_t pid, UniqueFd socket)
      : pid_(pid), socket_(std::move(socket)) {}

  const pid_t pid_;
  const UniqueFd socket_;
  std::string address_;
};

// The one or two processes that measure one transport.
class TransportProcesses {
 public:
  // `directory`: for the server's socket.
  static absl::StatusOr<TransportProcesses> Start(const Transport& transport,
                                                  const std::string& directory);

  WorkerProcess& client() { return *client_; }
  // nullptr where the client is all.
  WorkerProcess* server() { return server_.get(); }
  // What they have used in their lives.
  absl::Duration CpuTime() const;

 private:
  std::unique_ptr<WorkerProcess> server_;  // outlives the client
  std::unique_ptr<WorkerProcess> client_;
};

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_WORKER_PROCESS_H_
