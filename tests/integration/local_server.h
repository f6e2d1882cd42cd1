// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_LOCAL_SERVER_H_
#define GRPC_SHM_TESTS_INTEGRATION_LOCAL_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "grpcpp/impl/codegen/service_type.h"
#include "grpcpp/support/channel_arguments.h"
#include "tests/integration/client_call.h"
#include "transport/options.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {

// How a call reaches a handler: run by the thread that has read the request,
// through gRPC's own server, or over a socket of gRPC's, which says what is
// right.
enum class Way { kInline, kUniversal, kSocket };

inline constexpr Way kAllWays[] = {Way::kInline, Way::kUniversal, Way::kSocket};

std::string WayName(Way way);

// A server in the process of the test, for services that a test writes for
// itself. All ways lead to it. The destructor waits for its calls.
class LocalServer {
 public:
  using Configuration = std::function<void(ServerBuilder*)>;

  // `options` count for Way::kInline, and for Way::kUniversal but for one.
  explicit LocalServer(const std::vector<grpc::Service*>& services,
                       const ListenerOptions& options = ListenerOptions(),
                       const Configuration& configure = nullptr);
  ~LocalServer();

  ChannelPtr NewChannel(Way way, const grpc::ChannelArguments& arguments = {});
  Server& server() { return *server_; }

  // Destroys the server, as its owner may at any time.
  void Destroy() { server_.reset(); }

 private:
  const std::string inline_address_;
  const std::string universal_address_;
  const std::string socket_;
  std::unique_ptr<Server> server_;
};

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_LOCAL_SERVER_H_
