// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_RECEIVED_BODY_H_
#define GRPC_SHM_TRANSPORT_GRPC_RECEIVED_BODY_H_

#include "google/protobuf/message.h"
#include "transport/call/message.h"
#include "transport/call/session.h"
#include "transport/grpc/grpc_access.h"

namespace grpc_shm {

// Makes of `message` what parsing `received` would, without copying the value
// that is apart there: the field takes it over. False if that is not to be had,
// since the field is another one, or something is wrong: `received` is as it
// was then, and `message` may be anything.
bool TakeBody(ReceivedMessage* received, google::protobuf::Message* message);

// Gives `received`, of a call on `session`, to the operation that receives a
// message.
void GiveReceived(ReceivedMessage received, const TakenOperations& operations,
                  Session* session);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_RECEIVED_BODY_H_
