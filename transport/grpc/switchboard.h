// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_SWITCHBOARD_H_
#define GRPC_SHM_TRANSPORT_GRPC_SWITCHBOARD_H_

#include <grpc/grpc.h>
#include <grpcpp/channel.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "transport/grpc/client_call.h"

namespace grpc_shm {

// The process's own end of all its client channels: one gRPC server that nobody
// else can reach, to which every channel of ours is an in-process channel.
// Calls arrive here as gRPC's core hands them to a server, on the application's
// thread, and go to the ClientChannel that they name.
//
// A call names its channel, and what else the channel knows of it, in a header
// field of ours that never leaves the process.
//
// Threads: any. Made on first use and never destroyed, since channels may be
// used until the process ends.
class Switchboard {
 public:
  using InterceptorFactory =
      grpc::experimental::ClientInterceptorFactoryInterface;

  static Switchboard& Get();

  Switchboard(const Switchboard&) = delete;
  Switchboard& operator=(const Switchboard&) = delete;

  // An in-process channel with the application's arguments (message size limits
  // are enforced by it).
  struct InProcess {
    grpc::ChannelArguments args;
    std::shared_ptr<grpc::Channel> channel;
  };

  // One that nobody else has, with an interceptor of such a factory for each of
  // its calls. May have been somebody's before, whose calls may still go on:
  // gRPC (1.51) never frees the server's half of an in-process channel before
  // the server itself.
  std::unique_ptr<InProcess> Take(
      const grpc::ChannelArguments& args,
      std::unique_ptr<InterceptorFactory> (*new_factory)());
  void GiveBack(std::unique_ptr<InProcess> in_process);

  // From now on calls that name the returned number go to `channel`, as long as
  // it is there.
  uint64_t Connect(const std::shared_ptr<ClientChannel>& channel);

  // The header field with which a call names its channel.
  static const char* key();
  static std::string Value(uint64_t number, const ClientCall::Traits& traits);

 private:
  struct Request;

  Switchboard();

  void RequestCall();
  void Accept(const Request& request);

  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<grpc::ServerCompletionQueue>
      unused_queue_;  // a server must have one
  grpc::AsyncGenericService
      any_method_;  // keeps the server from answering UNIMPLEMENTED itself

  absl::Mutex mu_;
  uint64_t next_number_ ABSL_GUARDED_BY(mu_) = 1;
  absl::flat_hash_map<uint64_t, std::weak_ptr<ClientChannel>> channels_
      ABSL_GUARDED_BY(mu_);
  size_t size_to_sweep_ ABSL_GUARDED_BY(mu_) = 0;  // of channels_
  // The one that has been there for longest first.
  std::list<std::unique_ptr<InProcess>> spare_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_SWITCHBOARD_H_
