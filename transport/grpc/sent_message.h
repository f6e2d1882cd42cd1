// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_SENT_MESSAGE_H_
#define GRPC_SHM_TRANSPORT_GRPC_SENT_MESSAGE_H_

#include <grpcpp/support/interceptor.h>

#include "absl/types/optional.h"
#include "google/protobuf/message_lite.h"
#include "transport/call/message.h"

namespace grpc_shm {

// `message`, serialized into a block of memory that is used again; a large one
// is borrowed, if it may be: its strings are sent from where they are. Null if
// it lacks required fields, is too large for protobuf, or there is no memory.
absl::optional<OutgoingMessage> Serialize(
    const google::protobuf::MessageLite& message, bool may_borrow);

// Takes the message, serialized, of operations that send one and were taken
// over (TakenOperations). Once. Protobuf messages as above, others as gRPC
// serializes them. It may be borrowed where the application's thread waits for
// the operations to complete: others may let go of it before, since gRPC
// serializes it at once.
OutgoingMessage TakeSent(grpc::experimental::InterceptorBatchMethods* methods,
                         bool may_borrow);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_SENT_MESSAGE_H_
