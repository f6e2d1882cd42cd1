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
  std::shared_ptr<grpc::Channel> NewChannel(
      const grpc::ChannelArguments& args,
      std::unique_ptr<InterceptorFactory> interceptor);

  // From now on calls that name the returned number go to `channel`; they are
  // made on `in_process`.
  uint64_t Connect(std::shared_ptr<ClientChannel> channel,
                   const std::shared_ptr<grpc::Channel>& in_process);
  // The owner is gone. Calls that it has created may still begin: the number is
  // forgotten when they are gone, too.
  void Disconnect(uint64_t number);

  // The header field with which a call names its channel.
  static const char* key();
  static std::string Value(uint64_t number, const ClientCall::Traits& traits);

 private:
  struct Request;

  struct Entry {
    std::shared_ptr<ClientChannel> channel;
    std::weak_ptr<grpc::Channel>
        in_process;  // gone with its owner and its last call
  };

  Switchboard();

  void RequestCall();
  void Accept(const Request& request);
  std::vector<Entry> TakeUnused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<grpc::ServerCompletionQueue>
      unused_queue_;  // a server must have one
  grpc::AsyncGenericService
      any_method_;  // keeps the server from answering UNIMPLEMENTED itself

  absl::Mutex mu_;
  uint64_t next_number_ ABSL_GUARDED_BY(mu_) = 1;
  absl::flat_hash_map<uint64_t, Entry> channels_ ABSL_GUARDED_BY(mu_);
  std::vector<uint64_t> released_ ABSL_GUARDED_BY(mu_);  // whose owner is gone
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_SWITCHBOARD_H_
