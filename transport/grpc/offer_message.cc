// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/offer_message.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "transport/link/link_options.h"

namespace grpc_shm {
namespace {

// "gsho", little-endian.
constexpr uint32_t kOfferMagic = 0x6f687367;

struct Lengths {
  uint32_t offer;
  uint32_t start;
};

}  // namespace

wire::Offer NewOffer() {
  wire::Offer offer;
  offer.set_magic(kOfferMagic);
  offer.set_version(kProtocolVersion);
  return offer;
}

size_t OfferBytes(const wire::Offer& offer, const wire::CallStart& start,
                  size_t request_bytes) {
  return sizeof(Lengths) + offer.ByteSizeLong() + start.ByteSizeLong() +
         request_bytes;
}

void WriteOffer(const wire::Offer& offer, const wire::CallStart& start,
                OutgoingMessage* request, char* to) {
  const Lengths lengths{static_cast<uint32_t>(offer.ByteSizeLong()),
                        static_cast<uint32_t>(start.ByteSizeLong())};
  std::memcpy(to, &lengths, sizeof(lengths));
  auto* at = reinterpret_cast<uint8_t*>(to) + sizeof(lengths);
  at = offer.SerializeWithCachedSizesToArray(at);
  at = start.SerializeWithCachedSizesToArray(at);
  if (request != nullptr)
    request->Read(reinterpret_cast<std::byte*>(at), request->left());
}

absl::StatusOr<ReceivedOffer> ReadOffer(absl::string_view message) {
  Lengths lengths;
  if (message.size() < sizeof(lengths))
    return absl::InvalidArgumentError("too short for an offer");
  std::memcpy(&lengths, message.data(), sizeof(lengths));
  message.remove_prefix(sizeof(lengths));
  if (lengths.offer > message.size() ||
      lengths.start > message.size() - lengths.offer)
    return absl::InvalidArgumentError("shorter than it says");
  // Parsed from a private copy: others can still write the original.
  const std::string copy(message.substr(0, lengths.offer + lengths.start));
  message.remove_prefix(copy.size());
  ReceivedOffer received;
  if (!received.offer.ParseFromArray(copy.data(),
                                     static_cast<int>(lengths.offer)) ||
      received.offer.magic() != kOfferMagic)
    return absl::InvalidArgumentError("not an offer");
  if (received.offer.version() != kProtocolVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("an offer of protocol version ", received.offer.version(),
                     ", not ", kProtocolVersion));
  }
  if (!received.start.ParseFromArray(copy.data() + lengths.offer,
                                     static_cast<int>(lengths.start)))
    return absl::InvalidArgumentError("an offer of no call");
  if (received.offer.has_request()) {
    received.request = ReceivedMessage::Allocate(message.size());
    if (received.request->data() == nullptr)
      return absl::ResourceExhaustedError("no memory for a request");
    std::memcpy(received.request->data(), message.data(), message.size());
  }
  return received;
}

}  // namespace grpc_shm
