// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_TRANSPORTS_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_TRANSPORTS_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace grpc_shm::bench {

// Makes a new channel to the measured server and waits until it is connected;
// UNAVAILABLE when it is not within 5 s. Thread-safe.
using Connector =
    std::function<absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>>(
        const grpc::ChannelArguments&)>;

// A server that carries a service until it is destroyed, which waits for no
// call longer than a moment.
class BenchmarkServer {
 public:
  virtual ~BenchmarkServer() = default;
  // What Transport::connect needs.
  virtual std::string address() const = 0;
  // A channel inside this process, for the transport that is nothing else;
  // nullptr where there is none.
  virtual std::shared_ptr<grpc::ChannelInterface> InProcessChannel(
      const grpc::ChannelArguments& /*arguments*/) {
    return nullptr;
  }
};

// One way to carry calls.
struct Transport {
  enum class Kind {
    kTwoProcesses,  // client and server are separate processes
    kOneProcess,    // gRPC's in-process channel
    kFloor,         // one thread does everything, see floor.h
  };
  // What the client calls with.
  enum class Client {
    kGenerated,  // the generated stub
    kGeneric,    // grpc::GenericStub, with bytes and a completion queue
  };

  // Starts a server for `service`, which must outlive it; it may use
  // `directory` for sockets.
  using Serve = absl::StatusOr<std::unique_ptr<BenchmarkServer>> (*)(
      const std::string& directory, grpc::Service* service);
  using Connect = std::shared_ptr<grpc::ChannelInterface> (*)(
      const std::string& address, const grpc::ChannelArguments& arguments);

  absl::string_view name;
  Kind kind;
  Serve serve;      // nullptr for kFloor
  Connect connect;  // nullptr except for kTwoProcesses
  Client client = Client::kGenerated;
  // Another transport with other options: measured only in scenarios that name
  // it, unless it is asked for by name.
  bool variant = false;
};

// All transports, in the order in which they are shown.
const std::vector<Transport>& Transports();

// The transport of that name; nullptr when there is none.
const Transport* FindTransport(absl::string_view name);

// The transport that the others are compared to.
inline constexpr absl::string_view kReferenceTransport = "unix";

// What every channel of the benchmark is made with: gRPC's defaults, but no
// limit to the size of a message.
grpc::ChannelArguments BenchmarkChannelArguments();

// The same for channels of which there are many: each has a connection of its
// own, and takes as little memory as it can.
grpc::ChannelArguments IdleChannelArguments();

// Connects over `transport`, either to the server at `address` or to `server`
// in this process, which must outlive it.
Connector ConnectorTo(const Transport& transport, const std::string& address);
Connector ConnectorTo(BenchmarkServer* server);

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_TRANSPORTS_H_
