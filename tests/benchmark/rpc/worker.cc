// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/worker.h"

#include <sys/resource.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/benchmark/rpc/echo_service.h"
#include "tests/benchmark/rpc/measurement.pb.h"
#include "tests/benchmark/rpc/packet_socket.h"
#include "tests/benchmark/rpc/scenarios.h"
#include "tests/benchmark/rpc/transports.h"

namespace grpc_shm::bench {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;

// For measurements with many connections: many systems let a process have only
// 1,024 descriptors unless it asks for more.
void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  // Where this fails, what needs more says so.
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Answers that the worker is ready, or why it is not.
bool Answer(int socket, const absl::Status& status,
            const std::string& address) {
  WorkerReady ready;
  if (status.ok()) {
    ready.set_address(address);
  } else {
    ready.set_error(status.ToString());
  }
  return SendPacket(socket, ready).ok() && status.ok();
}

int ServeUntilClosed(int socket, const Transport& transport,
                     const WorkerJob& job) {
  EchoService service;
  auto server = transport.serve(job.directory(), &service);
  if (!Answer(socket, server.status(), server.ok() ? (*server)->address() : ""))
    return kExitFailed;
  CellRequest none;
  return absl::IsOutOfRange(
             ReceivePacket(socket, absl::InfiniteDuration(), &none))
             ? kExitOk
             : kExitFailed;
}

CellResult Measure(const Transport& transport, const CellRequest& request,
                   Cell cell) {
  CellResult result;
  if (request.scenario() >= Scenarios().size()) {
    result.set_error("there is no such scenario");
    return result;
  }
  const Scenario& scenario = Scenarios()[request.scenario()];
  cell.bytes = scenario.bytes.value_or(0);
  cell.threads = scenario.threads.value_or(1);
  cell.timing.warm_up = absl::Nanoseconds(request.warm_up_ns());
  cell.timing.measure = absl::Nanoseconds(request.measure_ns());
  cell.timing.idle = absl::Nanoseconds(request.idle_ns());
  cell.timing.min_calls = request.min_calls();
  cell.timing.idle_links = request.idle_links();
  const auto measurement = transport.kind == Transport::Kind::kFloor
                               ? scenario.floor(cell)
                               : scenario.run(cell);
  if (measurement.ok()) {
    *result.mutable_measurement() = *measurement;
  } else {
    result.set_error(measurement.status().ToString());
  }
  return result;
}

int MeasureUntilClosed(int socket, const Transport& transport,
                       const WorkerJob& job) {
  EchoService service;
  std::unique_ptr<BenchmarkServer> local_server;
  Cell cell;
  cell.client = transport.client;
  absl::Status status;
  if (transport.kind == Transport::Kind::kTwoProcesses) {
    cell.connect = ConnectorTo(transport, job.server_address());
    cell.server_pid = job.server_pid();
  } else if (transport.kind == Transport::Kind::kOneProcess) {
    auto server = transport.serve(job.directory(), &service);
    status = server.status();
    if (server.ok()) local_server = *std::move(server);
    cell.connect = ConnectorTo(local_server.get());
  }
  if (!Answer(socket, status, "")) return kExitFailed;
  while (true) {
    CellRequest request;
    status = ReceivePacket(socket, absl::InfiniteDuration(), &request);
    if (absl::IsOutOfRange(status)) return kExitOk;
    if (!status.ok() ||
        !SendPacket(socket, Measure(transport, request, cell)).ok())
      return kExitFailed;
  }
}

}  // namespace

int RunWorker(int socket) {
  RaiseDescriptorLimit();
  WorkerJob job;
  if (!ReceivePacket(socket, absl::InfiniteDuration(), &job).ok())
    return kExitFailed;
  const Transport* const transport = FindTransport(job.transport());
  if (transport == nullptr) {
    Answer(socket,
           absl::NotFoundError(
               absl::StrCat("there is no transport \"", job.transport(), "\"")),
           "");
    return kExitFailed;
  }
  return job.role() == WorkerJob::SERVER
             ? ServeUntilClosed(socket, *transport, job)
             : MeasureUntilClosed(socket, *transport, job);
}

}  // namespace grpc_shm::bench
