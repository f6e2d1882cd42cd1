// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/server.h"

#include <algorithm>
#include <utility>

#include "transport/base/fork.h"
#include "transport/grpc/direct_listener.h"
#include "transport/grpc/mailbox_listener.h"
#include "transport/link/address.h"

namespace grpc_shm {

// ---- Listener
// --------------------------------------------------------------------------------------------------

absl::StatusOr<std::unique_ptr<Listener>> Listener::Attach(
    grpc::Server* server, const std::string& address,
    const ListenerOptions& options) {
  std::shared_ptr<AddressListener> listener;
  if (IsMailboxTarget(address)) {
    absl::StatusOr<std::shared_ptr<MailboxListener>> started =
        MailboxListener::Start(address, nullptr, server, options);
    if (!started.ok()) return started.status();
    listener = *std::move(started);
  } else {
    absl::StatusOr<std::shared_ptr<DirectListener>> started =
        DirectListener::Start(address, server, options);
    if (!started.ok()) return started.status();
    listener = *std::move(started);
  }
  return std::unique_ptr<Listener>(new Listener(std::move(listener)));
}

absl::StatusOr<std::unique_ptr<Listener>> Listener::Attach(
    grpc::Server* server, const std::string& address,
    const MailboxOptions& create, const ListenerOptions& options) {
  absl::StatusOr<std::shared_ptr<MailboxListener>> started =
      MailboxListener::Start(address, &create, server, options);
  if (!started.ok()) return started.status();
  return std::unique_ptr<Listener>(new Listener(*std::move(started)));
}

Listener::Listener(std::shared_ptr<AddressListener> listener)
    : listener_(std::move(listener)) {}

Listener::~Listener() {
  if (IsForkedChild()) {
    // The parent's. Not even destroyed: its threads are not here.
    new std::shared_ptr<AddressListener>(listener_);
    return;
  }
  Shutdown(absl::InfinitePast());
}

void Listener::Drain() {
  if (!IsForkedChild()) listener_->Drain();
}

ListenerStats Listener::stats() const { return listener_->stats(); }

void Listener::Shutdown(absl::Time deadline) {
  if (IsForkedChild()) return;  // the parent's
  listener_->Drain();
  listener_->AwaitIdle(deadline);
  listener_->Close();
}

// ---- Server
// ----------------------------------------------------------------------------------------------------

Server::~Server() {
  if (IsForkedChild()) {
    server_.release();  // the parent's: its threads are not here
    return;
  }
  ShutdownUntil(absl::InfinitePast());
}

void Server::ShutdownUntil(absl::Time deadline) {
  if (IsForkedChild()) return;  // the parent's
  for (const auto& listener : listeners_) listener->Drain();
  for (const auto& listener : listeners_) listener->Shutdown(deadline);
  // The sockets of gRPC's own are closed only now: its server would end our
  // calls as soon as its shutdown begins.
  // It takes a time before the epoch for one that never comes.
  server_->Shutdown(absl::ToChronoTime(std::max(deadline, absl::UnixEpoch())));
}

void Server::Wait() { server_->Wait(); }

std::vector<ListenerStats> Server::stats() const {
  std::vector<ListenerStats> stats;
  for (const auto& listener : listeners_) stats.push_back(listener->stats());
  return stats;
}

// ---- ServerBuilder
// ---------------------------------------------------------------------------------------------

ServerBuilder& ServerBuilder::Listen(const std::string& address,
                                     const ListenerOptions& options) {
  addresses_.push_back({address, options, absl::nullopt});
  return *this;
}

ServerBuilder& ServerBuilder::Listen(const std::string& address,
                                     const MailboxOptions& create,
                                     const ListenerOptions& options) {
  addresses_.push_back({address, options, create});
  return *this;
}

ServerBuilder& ServerBuilder::AddListeningPort(
    const std::string& address, std::shared_ptr<grpc::ServerCredentials> creds,
    int* selected_port) {
  builder_.AddListeningPort(address, std::move(creds), selected_port);
  return *this;
}

ServerBuilder& ServerBuilder::RegisterService(grpc::Service* service) {
  services_.push_back(service);
  builder_.RegisterService(service);
  return *this;
}

ServerBuilder& ServerBuilder::RegisterService(const std::string& host,
                                              grpc::Service* service) {
  builder_.RegisterService(host, service);
  return *this;
}

ServerBuilder& ServerBuilder::RegisterAsyncGenericService(
    grpc::AsyncGenericService* service) {
  builder_.RegisterAsyncGenericService(service);
  return *this;
}

ServerBuilder& ServerBuilder::RegisterCallbackGenericService(
    grpc::CallbackGenericService* service) {
  builder_.RegisterCallbackGenericService(service);
  return *this;
}

std::unique_ptr<grpc::ServerCompletionQueue> ServerBuilder::AddCompletionQueue(
    bool is_frequently_polled) {
  return builder_.AddCompletionQueue(is_frequently_polled);
}

ServerBuilder& ServerBuilder::SetMaxReceiveMessageSize(int bytes) {
  builder_.SetMaxReceiveMessageSize(bytes);
  return *this;
}

ServerBuilder& ServerBuilder::SetMaxSendMessageSize(int bytes) {
  max_send_message_bytes_ = bytes;
  builder_.SetMaxSendMessageSize(bytes);
  return *this;
}

ServerBuilder& ServerBuilder::SetSyncServerOption(
    grpc::ServerBuilder::SyncServerOption option, int value) {
  builder_.SetSyncServerOption(option, value);
  return *this;
}

ServerBuilder& ServerBuilder::SetCompressionAlgorithmSupportStatus(
    grpc_compression_algorithm algorithm, bool enabled) {
  builder_.SetCompressionAlgorithmSupportStatus(algorithm, enabled);
  return *this;
}

ServerBuilder& ServerBuilder::SetDefaultCompressionLevel(
    grpc_compression_level level) {
  builder_.SetDefaultCompressionLevel(level);
  return *this;
}

ServerBuilder& ServerBuilder::SetDefaultCompressionAlgorithm(
    grpc_compression_algorithm algorithm) {
  builder_.SetDefaultCompressionAlgorithm(algorithm);
  return *this;
}

ServerBuilder& ServerBuilder::SetResourceQuota(
    const grpc::ResourceQuota& quota) {
  builder_.SetResourceQuota(quota);
  return *this;
}

ServerBuilder& ServerBuilder::SetOption(
    std::unique_ptr<grpc::ServerBuilderOption> option) {
  builder_.SetOption(std::move(option));
  return *this;
}

std::unique_ptr<Server> ServerBuilder::BuildAndStart(absl::Status* error) {
  absl::Status status;
  std::unique_ptr<Server> server;
  if (std::unique_ptr<grpc::Server> built = builder_.BuildAndStart()) {
    server.reset(new Server(std::move(built)));
    for (auto& [address, options, create] : addresses_) {
      options.inline_services = services_;
      options.max_send_message_bytes = max_send_message_bytes_;
      absl::StatusOr<std::unique_ptr<Listener>> listener =
          create.has_value()
              ? Listener::Attach(server->grpc_server(), address, *create,
                                 options)
              : Listener::Attach(server->grpc_server(), address, options);
      status = listener.status();
      if (!status.ok()) break;
      server->listeners_.push_back(*std::move(listener));
    }
  } else {
    status = absl::InternalError(
        "gRPC could not build the server; its log says why "
        "(GRPC_VERBOSITY=error)");
  }
  if (error != nullptr) *error = status;
  if (!status.ok()) server.reset();
  return server;
}

}  // namespace grpc_shm
