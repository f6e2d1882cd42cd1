// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/worker_process.h"

#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/benchmark/rpc/packet_socket.h"
#include "tests/benchmark/rpc/process_usage.h"
#include "tests/benchmark/rpc/worker.h"

namespace grpc_shm::bench {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(20);
constexpr absl::Duration kEndTimeout = absl::Seconds(5);

// Starts this program with `socket` as kWorkerSocket. The arguments after the
// first only tell a reader of `ps` who it is.
absl::StatusOr<pid_t> Spawn(int socket, const WorkerJob& job) {
  std::string program = "rpc_benchmark";
  std::string worker = kWorkerArgument;
  std::string transport = job.transport();
  std::string role = job.role() == WorkerJob::SERVER ? "server" : "client";
  char* arguments[] = {program.data(), worker.data(), transport.data(),
                       role.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, socket, kWorkerSocket);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr,
                                arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    return absl::ErrnoToStatus(error, "starting a worker process");
  return pid;
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerProcess>> WorkerProcess::Start(
    const WorkerJob& job) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return absl::ErrnoToStatus(errno, "making a socket to a worker process");
  }
  UniqueFd ours(sockets[0]);
  UniqueFd theirs(sockets[1]);
  absl::StatusOr<pid_t> pid = Spawn(theirs.get(), job);
  if (!pid.ok()) return pid.status();
  theirs.reset();

  std::unique_ptr<WorkerProcess> worker(
      new WorkerProcess(*pid, std::move(ours)));
  WorkerReady ready;
  absl::Status status = SendPacket(worker->socket_.get(), job);
  if (status.ok())
    status = ReceivePacket(worker->socket_.get(), kStartTimeout, &ready);
  if (!status.ok()) return status;
  if (!ready.error().empty()) return absl::UnavailableError(ready.error());
  worker->address_ = ready.address();
  return worker;
}

WorkerProcess::~WorkerProcess() {
  // The worker sees that nothing more is wanted, and we see its end. What it
  // still had to say is of no use.
  shutdown(socket_.get(), SHUT_WR);
  absl::Status status;
  for (CellResult late; status.ok();)
    status = ReceivePacket(socket_.get(), kEndTimeout, &late);
  if (absl::IsDeadlineExceeded(status)) kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

absl::Status WorkerProcess::Send(const CellRequest& request) {
  return SendPacket(socket_.get(), request);
}

absl::StatusOr<Measurement> WorkerProcess::Receive(absl::Duration timeout,
                                                   bool* alive) {
  CellResult result;
  if (absl::Status status = ReceivePacket(socket_.get(), timeout, &result);
      !status.ok()) {
    *alive = false;
    return status;
  }
  if (!result.error().empty()) return absl::InternalError(result.error());
  return result.measurement();
}

absl::StatusOr<TransportProcesses> TransportProcesses::Start(
    const Transport& transport, const std::string& directory) {
  TransportProcesses processes;
  WorkerJob job;
  job.set_transport(std::string(transport.name));
  job.set_directory(directory);
  if (transport.kind == Transport::Kind::kTwoProcesses) {
    job.set_role(WorkerJob::SERVER);
    auto server = WorkerProcess::Start(job);
    if (!server.ok()) return server.status();
    processes.server_ = *std::move(server);
    job.set_server_address(processes.server_->address());
    job.set_server_pid(processes.server_->pid());
  }
  job.set_role(WorkerJob::CLIENT);
  auto client = WorkerProcess::Start(job);
  if (!client.ok()) return client.status();
  processes.client_ = *std::move(client);
  return processes;
}

absl::Duration TransportProcesses::CpuTime() const {
  absl::Duration total =
      CpuTimeOf(client_->pid()).value_or(absl::ZeroDuration());
  if (server_ != nullptr)
    total += CpuTimeOf(server_->pid()).value_or(absl::ZeroDuration());
  return total;
}

}  // namespace grpc_shm::bench
