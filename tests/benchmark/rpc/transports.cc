// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/transports.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/benchmark/rpc/shm_transport.h"
#include "transport/options.h"

namespace grpc_shm::bench {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
constexpr absl::Duration kShutdownTimeout = absl::Seconds(1);
// The least that a server grants.
constexpr int kIdleRingBytes = 16 << 10;

class StockServer : public BenchmarkServer {
 public:
  StockServer(std::unique_ptr<grpc::Server> server, std::string address)
      : server_(std::move(server)), address_(std::move(address)) {}
  ~StockServer() override {
    server_->Shutdown(absl::ToChronoTime(absl::Now() + kShutdownTimeout));
  }

  std::string address() const override { return address_; }
  std::shared_ptr<grpc::ChannelInterface> InProcessChannel(
      const grpc::ChannelArguments& arguments) override {
    return server_->InProcessChannel(arguments);
  }

 private:
  const std::unique_ptr<grpc::Server> server_;
  const std::string address_;
};

// `address`: empty for a server without a port.
absl::StatusOr<std::unique_ptr<BenchmarkServer>> ServeStock(
    std::string address, grpc::Service* service) {
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterService(service);
  int port = 0;
  if (!address.empty())
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr)
    return absl::UnavailableError(
        absl::StrCat("gRPC can't listen on \"", address, "\""));
  if (absl::EndsWith(address, ":0")) {
    address = absl::StrCat(absl::StripSuffix(address, "0"), port);
  }
  return std::make_unique<StockServer>(std::move(server), std::move(address));
}

absl::StatusOr<std::unique_ptr<BenchmarkServer>> ServeUnix(
    const std::string& directory, grpc::Service* service) {
  return ServeStock(absl::StrCat("unix:", directory, "/benchmark.sock"),
                    service);
}

absl::StatusOr<std::unique_ptr<BenchmarkServer>> ServeTcp(
    const std::string& /*directory*/, grpc::Service* service) {
  return ServeStock("127.0.0.1:0", service);
}

absl::StatusOr<std::unique_ptr<BenchmarkServer>> ServeInProcess(
    const std::string& /*directory*/, grpc::Service* service) {
  return ServeStock("", service);
}

std::shared_ptr<grpc::ChannelInterface> ConnectStock(
    const std::string& address, const grpc::ChannelArguments& arguments) {
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

template <WaitPolicy kPolicy>
Transport Shm(absl::string_view name) {
  return {name, Transport::Kind::kTwoProcesses, ServeShm<kPolicy>,
          ConnectShm<kPolicy>};
}

Transport ShmGeneric() {
  Transport transport = Shm<WaitPolicy::kAdaptive>("shm_generic");
  transport.client = Transport::Client::kGeneric;
  return transport;
}

Transport Variant(Transport transport) {
  transport.variant = true;
  return transport;
}

}  // namespace

const std::vector<Transport>& Transports() {
  static const auto* const transports = new std::vector<Transport>{
      Shm<WaitPolicy::kAdaptive>("shm"),
      ShmGeneric(),
      {"unix", Transport::Kind::kTwoProcesses, ServeUnix, ConnectStock},
      {"tcp", Transport::Kind::kTwoProcesses, ServeTcp, ConnectStock},
      {"inproc", Transport::Kind::kOneProcess, ServeInProcess, nullptr},
      {"floor", Transport::Kind::kFloor, nullptr, nullptr},
      Variant(Shm<WaitPolicy::kNever>("shm_never")),
      Variant(Shm<WaitPolicy::kBusy>("shm_busy")),
  };
  return *transports;
}

const Transport* FindTransport(absl::string_view name) {
  for (const Transport& transport : Transports()) {
    if (transport.name == name) return &transport;
  }
  return nullptr;
}

grpc::ChannelArguments BenchmarkChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  return arguments;
}

grpc::ChannelArguments IdleChannelArguments() {
  grpc::ChannelArguments arguments = BenchmarkChannelArguments();
  // Else gRPC gives all channels to one address one connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(kRingBytesArg, kIdleRingBytes);
  return arguments;
}

Connector ConnectorTo(const Transport& transport, const std::string& address) {
  return [connect = transport.connect,
          address](const grpc::ChannelArguments& arguments)
             -> absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> {
    std::shared_ptr<grpc::ChannelInterface> channel =
        connect(address, arguments);
    if (!channel->WaitForConnected(
            absl::ToChronoTime(absl::Now() + kConnectTimeout))) {
      return absl::UnavailableError(
          absl::StrCat("no connection to ", address, " within ",
                       absl::FormatDuration(kConnectTimeout)));
    }
    return channel;
  };
}

Connector ConnectorTo(BenchmarkServer* server) {
  // Such a channel is connected always; gRPC aborts when one asks.
  return [server](const grpc::ChannelArguments& arguments)
             -> absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> {
    return server->InProcessChannel(arguments);
  };
}

}  // namespace grpc_shm::bench
