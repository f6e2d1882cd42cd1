// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_INLINE_SERVICES_H_
#define GRPC_SHM_TRANSPORT_GRPC_INLINE_SERVICES_H_

#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "transport/grpc/pace.h"
#include "transport/stats.h"

namespace grpc_shm {

// A method whose handler may run on the thread that has read the request.
struct InlineMethod {
  const char* name;  // "/package.Service/Method"
  grpc::internal::RpcMethod::RpcType type;
  grpc::internal::MethodHandler* handler;
  bool handles_protobuf;  // what Deserialize returns is a Message
  Pace pace{};
};

// Which services of a server are run inline. A service is if that is sound:
// all its methods are synchronous, and the application has no interceptors in
// the server, which are for gRPC's own machinery to run. What its messages are
// does not matter.
//
// Threads: any, once made. The services and the server must outlive it.
class InlineServices {
 public:
  InlineServices(const grpc::Server& server,
                 const std::vector<grpc::Service*>& services);
  InlineServices(const InlineServices&) = delete;
  InlineServices& operator=(const InlineServices&) = delete;

  // Null: not to be run inline.
  InlineMethod* Find(absl::string_view method) const;

  const std::vector<ServiceStats>& stats() const { return stats_; }

  // Called around each handler.
  grpc::Server::GlobalCallbacks* callbacks() const { return callbacks_; }

 private:
  grpc::Server::GlobalCallbacks* const callbacks_;
  std::vector<ServiceStats> stats_;
  // By name, whose characters are the service's own.
  absl::flat_hash_map<absl::string_view, std::unique_ptr<InlineMethod>>
      methods_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_INLINE_SERVICES_H_
