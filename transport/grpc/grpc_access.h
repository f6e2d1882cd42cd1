// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_GRPC_ACCESS_H_
#define GRPC_SHM_TRANSPORT_GRPC_GRPC_ACCESS_H_

// The one place that reaches below gRPC's documented C++ API. Each trick says
// what it relies on and with which versions of gRPC it was checked. Everything
// here is checked by the compiler: no copied declarations, no layout
// assumptions, nothing of gRPC's core but its public C headers.

#include <grpc/grpc.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/support/sync_stream.h>

#include <memory>
#include <string>

namespace grpc_shm {

// Names the specialization below.
struct GrpcAccessTag {};

}  // namespace grpc_shm

// ChannelInterface and ClientContext name grpc::ClientReader<> as a friend, so
// a specialization of it for a type of ours may call what they keep private. It
// lets a channel of ours wrap another one. Checked with 1.51.1.
template <>
class grpc::ClientReader<grpc_shm::GrpcAccessTag> {
 public:
  static uint32_t InitialMetadataFlags(const ClientContext& context) {
    return context.initial_metadata_flags();
  }
  static internal::Call CreateCall(ChannelInterface* channel,
                                   const internal::RpcMethod& method,
                                   ClientContext* context,
                                   CompletionQueue* queue) {
    return channel->CreateCall(method, context, queue);
  }
  static void* RegisterMethod(ChannelInterface* channel, const char* method) {
    return channel->RegisterMethod(method);
  }
  static CompletionQueue* CallbackCQ(ChannelInterface* channel) {
    return channel->CallbackCQ();
  }
};

namespace grpc_shm {

using GrpcAccess = grpc::ClientReader<GrpcAccessTag>;

// Whether the application waits for the channel to become ready. The flag is a
// constant of gRPC's C API.
inline bool WaitsForReady(const grpc::ClientContext& context) {
  return (GrpcAccess::InitialMetadataFlags(context) &
          GRPC_INITIAL_METADATA_WAIT_FOR_READY) != 0;
}

// Registers a completion queue of our own with the server being built:
// grpc::ServerBuilder only makes queues that somebody must poll, while a
// callback queue runs its tags on the thread that completes them. The builder
// hands the C server to each port's credentials before it starts the server.
// Checked with 1.51.1.
class QueueRegistrar : public grpc::ServerCredentials {
 public:
  explicit QueueRegistrar(grpc_completion_queue* queue) : queue_(queue) {}

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& /*address*/,
                      grpc_server* server) override {
    grpc_server_register_completion_queue(server, queue_, nullptr);
    return 1;  // a port number: anything but 0 is success
  }

  grpc_completion_queue* const queue_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_GRPC_ACCESS_H_
