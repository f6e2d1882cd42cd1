// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_ADDRESS_LISTENER_H_
#define GRPC_SHM_TRANSPORT_GRPC_ADDRESS_LISTENER_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/server.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "transport/call/session.h"
#include "transport/grpc/inline_host.h"
#include "transport/link/link_options.h"
#include "transport/options.h"
#include "transport/stats.h"

namespace grpc_shm {

// Serves one address with a server. Threads: any.
class AddressListener {
 public:
  virtual ~AddressListener() = default;

  // Takes no new calls. Returns at once.
  virtual void Drain() = 0;

  // Until every call has ended or the deadline has passed.
  virtual void AwaitIdle(absl::Time deadline) = 0;

  // Ends the calls that are left, and all links. Waits for handlers that run
  // inline.
  virtual void Close() = 0;

  virtual ListenerStats stats() const = 0;
};

// How the calls of one listener reach a server: inline, or on an in-process
// channel of it. Threads: any.
class CallDestination {
 public:
  CallDestination(std::string address, grpc::Server* server,
                  const ListenerOptions& options);
  CallDestination(const CallDestination&) = delete;
  CallDestination& operator=(const CallDestination&) = delete;

  const std::string& address() const { return address_; }
  const ListenerOptions& options() const { return options_; }
  // Of links that are accepted.
  const LinkOptions& link_options() const { return link_options_; }
  int64_t max_receive_message_bytes() const {
    return max_receive_message_bytes_;
  }
  // Of a link to a client.
  SessionOptions NewSessionOptions() const;

  const std::shared_ptr<InlineHost>& inline_host() const {
    return inline_host_;
  }
  // For calls that do not run inline.
  grpc::GenericStub* stub() { return &stub_; }
  void CountUniversalCall() {
    universal_calls_.fetch_add(1, std::memory_order_relaxed);
  }

  // All but the links.
  ListenerStats stats() const;

 private:
  const std::string address_;
  const ListenerOptions options_;
  const LinkOptions link_options_;
  const int64_t max_receive_message_bytes_;
  const std::shared_ptr<InlineHost> inline_host_;
  grpc::GenericStub stub_;
  std::atomic<uint64_t> universal_calls_{0};
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_ADDRESS_LISTENER_H_
