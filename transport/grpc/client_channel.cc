// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/client_channel.h"

namespace grpc_shm {

ClientChannel::ClientChannel(std::string target,
                             absl::StatusOr<std::string> name,
                             const Options& options)
    : target_(std::move(target)),
      name_(name.ok() ? *name : std::string()),
      options_(options),
      broken_(name.ok() ? options.invalid : name.status()) {
  // As gRPC's own channel for a target that it can't parse.
  Connectivity::Tellers nobody;
  if (!broken_.ok()) connectivity_.Set(GRPC_CHANNEL_SHUTDOWN, &nobody);
}

SessionOptions ClientChannel::NewSessionOptions() const {
  SessionOptions options;
  options.role = SessionOptions::Role::kClient;
  options.address = target_;
  options.max_receive_message_bytes = options_.max_receive_message_bytes;
  options.max_metadata_bytes = options_.max_metadata_bytes;
  options.max_buffered_bytes = options_.max_buffered_bytes;
  options.wait_policy = options_.wait_policy;
  return options;
}

}  // namespace grpc_shm
