// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/shm_transport.h"

#include <unistd.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "transport/channel.h"
#include "transport/server.h"

namespace grpc_shm::bench {
namespace {

constexpr absl::Duration kShutdownTimeout = absl::Seconds(1);

class ShmServer : public BenchmarkServer {
 public:
  ShmServer(std::unique_ptr<Server> server, std::string address)
      : server_(std::move(server)), address_(std::move(address)) {}
  ~ShmServer() override {
    server_->Shutdown(absl::ToChronoTime(absl::Now() + kShutdownTimeout));
  }

  std::string address() const override { return address_; }

 private:
  const std::unique_ptr<Server> server_;
  const std::string address_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<BenchmarkServer>> ServeShm(
    const std::string& /*directory*/, grpc::Service* service) {
  std::string address = absl::StrCat("shm:rpc_benchmark.", getpid());
  ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(-1);
  builder.Listen(address);
  builder.RegisterService(service);
  absl::Status error;
  std::unique_ptr<Server> server = builder.BuildAndStart(&error);
  if (server == nullptr) return error;
  return std::make_unique<ShmServer>(std::move(server), std::move(address));
}

std::shared_ptr<grpc::ChannelInterface> ConnectShm(
    const std::string& address, const grpc::ChannelArguments& arguments) {
  return CreateChannel(address, /*creds=*/nullptr, arguments);
}

}  // namespace grpc_shm::bench
