// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/call/metadata_charge.h"

#include <string>

#include "gtest/gtest.h"

namespace grpc_shm {
namespace {

template <typename Message>
size_t ChargeOf(const Message& message) {
  return MetadataCharge<Message>(message.SerializeAsString());
}

template <typename Message>
class MetadataChargeOf : public ::testing::Test {};
using MessagesWithMetadata =
    ::testing::Types<wire::CallStart, wire::InitialMetadata, wire::Trailers>;
TYPED_TEST_SUITE(MetadataChargeOf, MessagesWithMetadata);

TYPED_TEST(MetadataChargeOf, IsTheirBytesAndAFixedPartOfEach) {
  TypeParam message;
  EXPECT_EQ(ChargeOf(message), 0u);
  message.add_metadata();
  EXPECT_EQ(ChargeOf(message), kMetadatumCharge);
  message.mutable_metadata(0)->set_key("key");
  message.mutable_metadata(0)->set_value(std::string(200, 'v'));
  EXPECT_EQ(ChargeOf(message), kMetadatumCharge + 203);
  message.add_metadata()->set_value("v");
  EXPECT_EQ(ChargeOf(message), 2 * kMetadatumCharge + 204);
}

TEST(MetadataCharge, HasNothingToDoWithWhatElseIsThere) {
  wire::CallStart start;
  start.set_method("/package.Service/Method");
  start.set_authority("authority");
  start.set_timeout_ns(-1);
  EXPECT_EQ(ChargeOf(start), 0u);
  wire::Trailers trailers;
  trailers.set_code(-1);
  trailers.set_message("message");
  EXPECT_EQ(ChargeOf(trailers), 0u);
  wire::GoAway go_away;
  go_away.set_last_call_id(1);
  go_away.set_message("message");
  EXPECT_EQ(ChargeOf(go_away), 0u);
}

TEST(MetadataCharge, IsNotCountedToTheEnd) {
  wire::CallStart start;
  for (int i = 0; i < 1000; ++i) start.add_metadata()->set_key("key");
  const std::string payload = start.SerializeAsString();
  constexpr size_t kEach = kMetadatumCharge + 3;
  EXPECT_EQ(MetadataCharge<wire::CallStart>(payload), 1000 * kEach);
  for (const size_t enough : {size_t{1}, 10 * kEach, 10 * kEach + 1}) {
    const size_t charge = MetadataCharge<wire::CallStart>(payload, enough);
    EXPECT_GE(charge, enough);
    EXPECT_LT(charge, enough + kEach);
  }
  EXPECT_EQ(MetadataCharge<wire::CallStart>(payload, 0), 0u);
}

// A message keeps them, at the price of a string each.
TEST(MetadataCharge, CountsFieldsThatNobodyKnows) {
  const std::string empty = {0x7a, 0x00};  // number 15
  EXPECT_EQ(MetadataCharge<wire::CallStart>(empty + empty),
            2 * kMetadatumCharge);
  EXPECT_EQ(MetadataCharge<wire::GoAway>(empty), kMetadatumCharge);
  const std::string group = {0x7b, 0x7c};
  EXPECT_EQ(MetadataCharge<wire::Trailers>(group), kMetadatumCharge);
  // The message of Trailers has another number than anything here.
  EXPECT_EQ(MetadataCharge<wire::InitialMetadata>(std::string({0x12, 0x00})),
            kMetadatumCharge);
  // Inside of a metadatum.
  EXPECT_EQ(MetadataCharge<wire::InitialMetadata>(std::string({0x0a, 0x04}) +
                                                  empty + empty),
            3 * kMetadatumCharge);
}

TEST(MetadataCharge, CountsAsFarAsAMessageCanBeRead) {
  wire::InitialMetadata message;
  message.add_metadata()->set_key("key");
  const std::string bytes = message.SerializeAsString();
  for (size_t length = 0; length <= bytes.size(); ++length) {
    EXPECT_LE(MetadataCharge<wire::InitialMetadata>(bytes.substr(0, length)),
              ChargeOf(message));
  }
  // Lengths beyond the end, and beyond what an int can be.
  for (const char length : {'\x02', '\x7f'}) {
    EXPECT_EQ(MetadataCharge<wire::GoAway>(std::string({0x7a, length})), 0u);
    EXPECT_LE(
        MetadataCharge<wire::InitialMetadata>(std::string({0x0a, length})),
        kMetadatumCharge);
  }
  const std::string huge = "\x7a\xff\xff\xff\xff\x0f";
  EXPECT_EQ(MetadataCharge<wire::GoAway>(huge + huge), 0u);
}

TEST(MetadataCharge, IsNeverMoreThanTheMost) {
  const std::string metadatum = {0x0a, 0x00};
  std::string payload;
  for (int i = 0; i < 100; ++i) {
    payload += metadatum;
    EXPECT_LE(MetadataCharge<wire::InitialMetadata>(payload),
              MostMetadataCharge(payload.size()));
  }
}

}  // namespace
}  // namespace grpc_shm
