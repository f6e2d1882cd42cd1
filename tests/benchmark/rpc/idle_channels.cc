// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/idle_channels.h"

#include <utility>

#include "tests/benchmark/rpc/echo.grpc.pb.h"
#include "tests/benchmark/rpc/grpc_status.h"

namespace grpc_shm::bench {

absl::StatusOr<Channels> MakeIdleChannels(
    const Cell& cell, const grpc::ChannelArguments& arguments, int count) {
  Channels channels;
  for (int made = 0; made < count; ++made) {
    auto channel = cell.connect(arguments);
    if (!channel.ok()) return channel.status();
    grpc::ClientContext context;
    Payload reply;
    const grpc::Status status =
        Echo::NewStub(*channel)->Unary(&context, Payload(), &reply);
    if (!status.ok()) return ToAbslStatus(status);
    channels.push_back(*std::move(channel));
  }
  return channels;
}

}  // namespace grpc_shm::bench
