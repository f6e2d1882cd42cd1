// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_OUTBOUND_CALL_H_
#define GRPC_SHM_TRANSPORT_GRPC_OUTBOUND_CALL_H_

#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "proto/wire.pb.h"
#include "transport/call/call.h"

namespace grpc_shm {

// A call of this process's application, as its channel sees it. The channel
// calls it without any lock, on any thread.
class OutboundCall {
 public:
  virtual ~OutboundCall() = default;

  // Hears of it from the link.
  virtual std::shared_ptr<CallHandler> handler() = 0;

  // Whether it waits for a server rather than fail.
  virtual bool waits_for_ready() const = 0;

  // The call's first frame, with the time that is left to its deadline now.
  virtual const wire::CallStart& Start() = 0;

  // The call's only message, if that is known and has at most so many bytes: it
  // goes to the server with Start(), and is not sent once more.
  virtual absl::optional<OutgoingMessage> TakeRequest(size_t /*most_bytes*/) {
    return absl::nullopt;
  }

  // The call is on a link.
  virtual void OnStarted(std::shared_ptr<Call> call) = 0;

  // It will never be.
  virtual void Fail(const absl::Status& status) = 0;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_OUTBOUND_CALL_H_
