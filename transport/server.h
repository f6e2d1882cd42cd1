// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_SERVER_H_
#define GRPC_SHM_TRANSPORT_SERVER_H_

#include <grpc/compression.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "transport/mailbox.h"
#include "transport/options.h"
#include "transport/stats.h"

namespace grpc_shm {

class AddressListener;

// Serves an address with a grpc::Server that somebody else built:
//
//   std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
//   auto listener = grpc_shm::Listener::Attach(server.get(), "shm:greeter");
//
// Ownership: the server must outlive the listener. Shut the listener down
// before the server: gRPC ends in-process calls, which these are to it, at the
// beginning of a server's shutdown, whatever its deadline. Threads: any. A
// listener that is destroyed has its name free again; one in a forked child
// (see channel.h) is the parent's.
class Listener {
 public:
  // Takes the address and listens. "mailbox:NAME": takes calls from that
  // mailbox (see transport/mailbox.h), which must exist. Fails with
  //
  //   INVALID_ARGUMENT    the address is not "shm:NAME" (see channel.h), or its
  //                       socket's path is too long;
  //   ALREADY_EXISTS      a living server has the name;
  //   PERMISSION_DENIED   the rendezvous directory is not this user's alone, or
  //                       not this user's alone to write in where others are
  //                       admitted (see ListenerOptions::peer_policy);
  //   NOT_FOUND           that directory, to be shared, does not exist;
  //   RESOURCE_EXHAUSTED  no descriptors, or no space where the directory is.
  static absl::StatusOr<std::unique_ptr<Listener>> Attach(
      grpc::Server* server, const std::string& address,
      const ListenerOptions& options = ListenerOptions());

  // The same for "mailbox:NAME" alone; makes the mailbox first, with `create`,
  // if there is none. One that exists is used as it is. Nobody destroys it but
  // Mailbox::Destroy. Fails as Mailbox::Create does.
  static absl::StatusOr<std::unique_ptr<Listener>> Attach(
      grpc::Server* server, const std::string& address,
      const MailboxOptions& create,
      const ListenerOptions& options = ListenerOptions());

  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  // As Shutdown with a deadline that has passed.
  ~Listener();

  // Gives up the name, refuses new calls, lets those that run finish until the
  // deadline, then ends the rest with UNAVAILABLE and closes all links. Returns
  // when that is done.
  void Shutdown(absl::Time deadline);

  // Only the first part: gives up the name and refuses new calls. Returns at
  // once; Shutdown is to follow.
  void Drain();

  ListenerStats stats() const;

 private:
  explicit Listener(std::shared_ptr<AddressListener> listener);

  const std::shared_ptr<AddressListener> listener_;
};

// A server at any number of addresses, through shared memory and otherwise;
// built by ServerBuilder. Shaped like grpc::Server, which it owns. Threads:
// any.
class Server {
 public:
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // As Shutdown with a deadline that has passed.
  ~Server();

  // Stops to accept calls, lets those that run finish until the deadline
  // (without one: however long they take), and ends the rest. As with
  // grpc::Server, a handler that runs is waited for in any case.
  void Shutdown() { ShutdownUntil(absl::InfiniteFuture()); }
  template <typename T>
  void Shutdown(const T& deadline);

  // Until Shutdown is called and has done its work.
  void Wait();

  std::shared_ptr<grpc::Channel> InProcessChannel(
      const grpc::ChannelArguments& args) {
    return server_->InProcessChannel(args);
  }
  grpc::HealthCheckServiceInterface* GetHealthCheckService() const {
    return server_->GetHealthCheckService();
  }

  // Of each address given to ServerBuilder::Listen, in that order.
  std::vector<ListenerStats> stats() const;

  // For what gRPC offers besides. Do not shut it down: see Listener.
  grpc::Server* grpc_server() { return server_.get(); }

 private:
  friend class ServerBuilder;

  explicit Server(std::unique_ptr<grpc::Server> server)
      : server_(std::move(server)) {}
  void ShutdownUntil(absl::Time deadline);

  std::unique_ptr<grpc::Server> server_;
  std::vector<std::unique_ptr<Listener>> listeners_;  // before the server goes
};

// Builds a Server. Shaped like grpc::ServerBuilder, and does the same for what
// has its name: see there.
//
//   grpc_shm::ServerBuilder builder;
//   builder.Listen("shm:greeter");
//   builder.RegisterService(&service);
//   std::unique_ptr<grpc_shm::Server> server = builder.BuildAndStart();
//
// Threads: one at a time. What is registered must outlive the server.
class ServerBuilder {
 public:
  // Serves `address`, "shm:NAME" or "mailbox:NAME". May be called several
  // times. A mailbox must exist, or is made with `create` if it does not: see
  // Listener::Attach.
  ServerBuilder& Listen(const std::string& address,
                        const ListenerOptions& options = ListenerOptions());
  ServerBuilder& Listen(const std::string& address,
                        const MailboxOptions& create,
                        const ListenerOptions& options = ListenerOptions());

  ServerBuilder& AddListeningPort(
      const std::string& address,
      std::shared_ptr<grpc::ServerCredentials> creds,
      int* selected_port = nullptr);
  ServerBuilder& RegisterService(grpc::Service* service);
  ServerBuilder& RegisterService(const std::string& host,
                                 grpc::Service* service);
  ServerBuilder& RegisterAsyncGenericService(
      grpc::AsyncGenericService* service);
  ServerBuilder& RegisterCallbackGenericService(
      grpc::CallbackGenericService* service);
  std::unique_ptr<grpc::ServerCompletionQueue> AddCompletionQueue(
      bool is_frequently_polled = true);
  ServerBuilder& SetMaxReceiveMessageSize(int bytes);
  ServerBuilder& SetMaxSendMessageSize(int bytes);
  ServerBuilder& SetMaxMessageSize(int bytes) {
    return SetMaxReceiveMessageSize(bytes);
  }
  ServerBuilder& SetSyncServerOption(
      grpc::ServerBuilder::SyncServerOption option, int value);
  ServerBuilder& SetCompressionAlgorithmSupportStatus(
      grpc_compression_algorithm algorithm, bool enabled);
  ServerBuilder& SetDefaultCompressionLevel(grpc_compression_level level);
  ServerBuilder& SetDefaultCompressionAlgorithm(
      grpc_compression_algorithm algorithm);
  ServerBuilder& SetResourceQuota(const grpc::ResourceQuota& quota);
  ServerBuilder& SetOption(std::unique_ptr<grpc::ServerBuilderOption> option);
  template <typename T>
  ServerBuilder& AddChannelArgument(const std::string& name, const T& value) {
    builder_.AddChannelArgument(name, value);
    return *this;
  }

  // For what gRPC offers besides (interceptors, say). Do not build with it.
  grpc::ServerBuilder& grpc_builder() { return builder_; }

  // Null if it fails, as with gRPC; `*error` then says why: see
  // Listener::Attach, and INTERNAL if gRPC can't build its server (a port is
  // taken, say), which it explains in its log alone.
  std::unique_ptr<Server> BuildAndStart(absl::Status* error = nullptr);

 private:
  grpc::ServerBuilder builder_;
  int max_send_message_bytes_ = -1;
  std::vector<grpc::Service*> services_;  // those for any host
  struct Address {
    std::string address;
    ListenerOptions options;
    absl::optional<MailboxOptions> create;
  };
  std::vector<Address> addresses_;
};

template <typename T>
void Server::Shutdown(const T& deadline) {
  const gpr_timespec left = gpr_time_sub(
      gpr_convert_clock_type(grpc::TimePoint<T>(deadline).raw_time(),
                             GPR_CLOCK_MONOTONIC),
      gpr_now(GPR_CLOCK_MONOTONIC));
  ShutdownUntil(absl::Now() + absl::Seconds(left.tv_sec) +
                absl::Nanoseconds(left.tv_nsec));
}

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_SERVER_H_
