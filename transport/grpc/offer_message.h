// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_OFFER_MESSAGE_H_
#define GRPC_SHM_TRANSPORT_GRPC_OFFER_MESSAGE_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "proto/wire.pb.h"
#include "transport/call/message.h"

namespace grpc_shm {

// A call on its way through a mailbox, as the bytes of a raw message:
//
//   [8 bytes: lengths of offer and start][wire.Offer][wire.CallStart][request]
//
// One of this version.
wire::Offer NewOffer();

// What is sent: the request is null, or the call's only message, which is read
// out.
size_t OfferBytes(const wire::Offer& offer, const wire::CallStart& start,
                  size_t request_bytes);
void WriteOffer(const wire::Offer& offer, const wire::CallStart& start,
                OutgoingMessage* request, char* to);

// What is received, copied out of memory that others can still write.
struct ReceivedOffer {
  wire::Offer offer;
  wire::CallStart start;
  absl::optional<ReceivedMessage> request;
};

// INVALID_ARGUMENT: no such message. FAILED_PRECONDITION: another version's.
// RESOURCE_EXHAUSTED: no memory.
absl::StatusOr<ReceivedOffer> ReadOffer(absl::string_view message);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_OFFER_MESSAGE_H_
