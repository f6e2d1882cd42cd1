// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_SENT_MESSAGE_H_
#define GRPC_SHM_TRANSPORT_GRPC_SENT_MESSAGE_H_

#include <grpcpp/support/interceptor.h>

#include "transport/call/message.h"

namespace grpc_shm {

// Takes the message, serialized, of operations that send one and were taken
// over (TakenOperations). Once. A protobuf message goes straight into a block
// that is used again, where gRPC would take new memory for each.
OutgoingMessage TakeSent(grpc::experimental::InterceptorBatchMethods* methods);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_SENT_MESSAGE_H_
