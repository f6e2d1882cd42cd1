// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_PRIVATE_SERVER_H_
#define GRPC_SHM_TRANSPORT_GRPC_PRIVATE_SERVER_H_

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>

namespace grpc_shm {

// Builds a server of our own that only this process's in-process channels
// reach: without limits, and without what the application has every server of
// its process offer (reflection, health).
std::unique_ptr<grpc::Server> BuildPrivateServer(grpc::ServerBuilder* builder);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_PRIVATE_SERVER_H_
