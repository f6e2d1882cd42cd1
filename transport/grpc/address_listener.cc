// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/address_listener.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "transport/grpc/convert.h"
#include "transport/grpc/grpc_access.h"

namespace grpc_shm {
namespace {

LinkOptions ToLinkOptions(const ListenerOptions& options) {
  LinkOptions link;
  link.peers = options.peer_policy;
  link.directory = options.directory;
  link.ring_bytes = options.ring_bytes;
  link.max_ring_bytes = std::max(options.max_ring_bytes, options.ring_bytes);
  link.min_ring_bytes = std::min(link.min_ring_bytes, link.max_ring_bytes);
  link.window_bytes = options.window_bytes;
  link.max_window_bytes =
      std::max(options.max_window_bytes, options.window_bytes);
  link.min_window_bytes =
      std::min(link.min_window_bytes, link.max_window_bytes);
  return link;
}

// What the server sends must pass, whatever its size: the client's limit is the
// client's matter.
grpc::ChannelArguments UnlimitedArguments() {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(-1);
  return args;
}

// The stricter of the listener's and the server's limit; -1: none.
int64_t MaxReceiveBytes(int64_t listener, const grpc::Server& server) {
  int64_t limit = MaxReceiveMessageBytes(server);
  if (limit < -1) limit = kDefaultMaxReceiveBytes;  // not set
  if (listener < 0) return limit;
  return limit < 0 ? listener : std::min(listener, limit);
}

}  // namespace

CallDestination::CallDestination(std::string address, grpc::Server* server,
                                 const ListenerOptions& options)
    : address_(std::move(address)),
      options_(options),
      link_options_(ToLinkOptions(options)),
      max_receive_message_bytes_(
          MaxReceiveBytes(options.max_receive_message_bytes, *server)),
      inline_host_(std::make_shared<InlineHost>(
          *server,
          options.inline_dispatch ? options.inline_services
                                  : std::vector<grpc::Service*>(),
          options.max_inline_handlers, options.max_send_message_bytes)),
      stub_(server->InProcessChannel(UnlimitedArguments())) {}

SessionOptions CallDestination::NewSessionOptions() const {
  SessionOptions options;
  options.role = SessionOptions::Role::kServer;
  options.address = address_;
  options.max_receive_message_bytes = max_receive_message_bytes_;
  options.max_calls = options_.max_calls_per_link;
  options.max_metadata_bytes = options_.max_metadata_bytes;
  options.max_buffered_bytes = options_.max_buffered_bytes_per_link;
  options.wait_policy =
      ToSpinPolicy(static_cast<int64_t>(options_.wait_policy));
  return options;
}

ListenerStats CallDestination::stats() const {
  ListenerStats stats;
  stats.address = address_;
  stats.inline_calls = inline_host_->calls();
  stats.universal_calls = universal_calls_.load(std::memory_order_relaxed);
  stats.services = inline_host_->services().stats();
  return stats;
}

}  // namespace grpc_shm
