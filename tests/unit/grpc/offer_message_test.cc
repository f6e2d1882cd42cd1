// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/offer_message.h"

#include <cstring>
#include <string>

#include "absl/types/span.h"
#include "gtest/gtest.h"

namespace grpc_shm {
namespace {

OutgoingMessage ToMessage(const std::string& bytes) {
  return OutgoingMessage(
      {absl::MakeConstSpan(reinterpret_cast<const std::byte*>(bytes.data()),
                           bytes.size())},
      OutgoingMessage::Owner(nullptr, [](void*) {}));
}

std::string Write(const std::string* request) {
  wire::Offer offer = NewOffer();
  offer.set_reply_address("/somewhere/.reply-1-2.sock");
  offer.set_slot(3);
  offer.set_number(4);
  offer.set_deadline_ns(5);
  offer.set_has_request(request != nullptr);
  wire::CallStart start;
  start.set_method("/a.B/C");
  const size_t bytes =
      OfferBytes(offer, start, request != nullptr ? request->size() : 0);
  std::string message(bytes, '\0');
  if (request != nullptr) {
    OutgoingMessage outgoing = ToMessage(*request);
    WriteOffer(offer, start, &outgoing, &message[0]);
  } else {
    WriteOffer(offer, start, nullptr, &message[0]);
  }
  return message;
}

TEST(OfferMessageTest, ArrivesAsItWasSent) {
  const std::string request(1000, 'x');
  const absl::StatusOr<ReceivedOffer> received = ReadOffer(Write(&request));
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(received->offer.reply_address(), "/somewhere/.reply-1-2.sock");
  EXPECT_EQ(received->offer.slot(), 3u);
  EXPECT_EQ(received->offer.number(), 4u);
  EXPECT_EQ(received->offer.deadline_ns(), 5);
  EXPECT_EQ(received->start.method(), "/a.B/C");
  ASSERT_TRUE(received->request.has_value());
  EXPECT_EQ(received->request->size(), request.size());
}

TEST(OfferMessageTest, AnEmptyRequestIsOne) {
  const std::string empty;
  const absl::StatusOr<ReceivedOffer> with = ReadOffer(Write(&empty));
  ASSERT_TRUE(with.ok());
  ASSERT_TRUE(with->request.has_value());
  EXPECT_EQ(with->request->size(), 0u);
  const absl::StatusOr<ReceivedOffer> without = ReadOffer(Write(nullptr));
  ASSERT_TRUE(without.ok());
  EXPECT_FALSE(without->request.has_value());
}

TEST(OfferMessageTest, NothingElseIsTakenForOne) {
  EXPECT_FALSE(ReadOffer("").ok());
  EXPECT_FALSE(ReadOffer("short").ok());
  EXPECT_FALSE(ReadOffer(std::string(100, '\0')).ok());
  EXPECT_FALSE(ReadOffer(std::string(100, '\xff')).ok());
}

TEST(OfferMessageTest, LengthsThatExceedTheMessageAreRefused) {
  std::string message = Write(nullptr);
  const uint32_t huge = 0xfffffff0;
  for (size_t field : {0, 4}) {
    std::string broken = message;
    std::memcpy(&broken[field], &huge, sizeof(huge));
    EXPECT_EQ(ReadOffer(broken).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  for (size_t bytes = 0; bytes < message.size(); ++bytes)
    EXPECT_FALSE(ReadOffer(message.substr(0, bytes)).ok());
}

TEST(OfferMessageTest, AnotherVersionIsToldApart) {
  wire::Offer offer = NewOffer();
  offer.set_version(offer.version() + 1);
  const wire::CallStart start;
  std::string message(OfferBytes(offer, start, 0), '\0');
  WriteOffer(offer, start, nullptr, &message[0]);
  EXPECT_EQ(ReadOffer(message).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace grpc_shm
