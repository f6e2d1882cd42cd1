// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/received_body.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>

#include <algorithm>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/echo.pb.h"
#include "tests/unit/grpc/bodies.pb.h"
#include "transport/call/wire_body.h"
#include "transport/grpc/convert.h"

namespace grpc_shm {
namespace {

using testing::Bodies;
using testing::EchoReply;
using testing::Needy;

constexpr size_t kLarge = 100'000;

std::string Large() {
  std::string bytes(kLarge, '\0');
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>('A' + i % 23);
  return bytes;
}

absl::Span<const std::byte> Bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

absl::optional<WireBody> Find(const std::string& wire) {
  return FindWireBody(Bytes(wire).first(std::min(wire.size(), kWireBodyWithin)),
                      wire.size());
}

ReceivedMessage Receive(const std::string& wire, const WireBody& body,
                        size_t part) {
  ReceivedMessage message = ReceivedMessage::AllocateWith(body, wire.size());
  for (size_t at = 0; at < wire.size(); at += part) {
    const auto some = Bytes(wire).subspan(at, part);
    message.Write(some.data(), some.size());
  }
  EXPECT_EQ(message.left(), 0u);
  return message;
}

std::string Whole(ReceivedMessage message) {
  grpc_byte_buffer* const buffer = ToByteBuffer(std::move(message));
  grpc_byte_buffer_reader reader;
  grpc_byte_buffer_reader_init(&reader, buffer);
  const grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
  std::string bytes(reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)),
                    GRPC_SLICE_LENGTH(slice));
  grpc_slice_unref(slice);
  grpc_byte_buffer_reader_destroy(&reader);
  grpc_byte_buffer_destroy(buffer);
  return bytes;
}

// Whether the value that is apart is taken; then the message is what protobuf
// makes of the same bytes. If not, no byte is lost.
template <typename Message>
bool IsTaken(const std::string& wire) {
  const absl::optional<WireBody> body = Find(wire);
  if (!body.has_value()) return false;
  bool taken = false;
  for (const size_t part : {size_t{1000}, size_t{32} << 10, wire.size()}) {
    ReceivedMessage received = Receive(wire, *body, part);
    Message message;
    Message parsed;
    taken = TakeBody(&received, &message);
    if (taken) {
      EXPECT_TRUE(parsed.ParseFromString(wire));
      EXPECT_TRUE(message.SerializeAsString() == parsed.SerializeAsString());
    } else {
      EXPECT_TRUE(Whole(std::move(received)) == wire);
    }
  }
  return taken;
}

TEST(ReceivedBody, BytesAreTaken) {
  Bodies message;
  message.set_one(Large());
  EXPECT_TRUE(IsTaken<Bodies>(message.SerializeAsString()));
  message.set_number(1);  // behind it
  EXPECT_TRUE(IsTaken<Bodies>(message.SerializeAsString()));
  message.set_right(2);
  message.mutable_nested()->set_one("nested");
  message.mutable_group()->set_inside(3);
  EXPECT_TRUE(IsTaken<Bodies>(message.SerializeAsString()));
}

TEST(ReceivedBody, OneOfManyIsTaken) {
  Bodies message;
  message.set_one("before");
  message.add_many("first");
  message.add_many(Large());
  message.add_many("last");
  EXPECT_TRUE(IsTaken<Bodies>(message.SerializeAsString()));
}

TEST(ReceivedBody, TextIsTaken) {
  Bodies message;
  message.set_text(Large());
  EXPECT_TRUE(IsTaken<Bodies>(message.SerializeAsString()));
}

// Protobuf rejects it in one message, and in another does not.
TEST(ReceivedBody, TextThatIsNoneIsNotTaken) {
  Bodies message;
  message.set_text(Large() + "\xff");
  EXPECT_FALSE(IsTaken<Bodies>(message.SerializePartialAsString()));
}

TEST(ReceivedBody, TheLastOfAOneofCounts) {
  Bodies message;
  message.set_left(Large());
  const std::string left = message.SerializeAsString();
  message.Clear();
  message.set_right(1);
  const std::string right = message.SerializeAsString();
  EXPECT_TRUE(IsTaken<Bodies>(left));
  EXPECT_TRUE(IsTaken<Bodies>(right + left));
  EXPECT_FALSE(IsTaken<Bodies>(left + right));
}

TEST(ReceivedBody, TheLastOfAFieldCounts) {
  Bodies message;
  message.set_one(Large());
  const std::string large = message.SerializeAsString();
  message.set_one("");
  const std::string small = message.SerializeAsString();
  EXPECT_TRUE(IsTaken<Bodies>(small + large));
  EXPECT_FALSE(IsTaken<Bodies>(large + small));
}

TEST(ReceivedBody, OtherFieldsAreNotTaken) {
  Bodies message;
  message.mutable_nested()->set_one(Large());
  EXPECT_FALSE(IsTaken<Bodies>(message.SerializeAsString()));
  message.Clear();
  (*message.mutable_mapped())[1] = Large();
  EXPECT_FALSE(IsTaken<Bodies>(message.SerializeAsString()));
  message.Clear();
  message.SetExtension(testing::extended, Large());
  EXPECT_FALSE(IsTaken<Bodies>(message.SerializeAsString()));
  message.Clear();
  message.mutable_unknown_fields()->AddLengthDelimited(50, Large());
  EXPECT_FALSE(IsTaken<Bodies>(message.SerializeAsString()));
}

TEST(ReceivedBody, WhatIsBesideItIsSmall) {
  Bodies message;
  message.set_one(Large());
  message.set_text(std::string(2000, 'x'));
  EXPECT_FALSE(Find(message.SerializeAsString()).has_value());
  message.Clear();
  message.set_one(std::string(300, 'x'));
  message.add_many(Large());
  EXPECT_FALSE(Find(message.SerializeAsString()).has_value());
}

TEST(ReceivedBody, SmallOnesAreNotLookedFor) {
  Bodies message;
  message.set_one(std::string(kMinWireBody - 1, 'x'));
  EXPECT_FALSE(Find(message.SerializeAsString()).has_value());
  message.set_one(std::string(kMinWireBody, 'x'));
  EXPECT_TRUE(Find(message.SerializeAsString()).has_value());
}

TEST(ReceivedBody, LiesWithinTheMessage) {
  Bodies message;
  message.set_one(Large());
  std::string wire = message.SerializeAsString();
  wire.pop_back();
  EXPECT_FALSE(Find(wire).has_value());
  wire.resize(2);  // in the middle of its length
  EXPECT_FALSE(Find(wire).has_value());
  EXPECT_FALSE(Find("").has_value());
}

TEST(ReceivedBody, WhatIsRequiredMustBeThere) {
  Needy message;
  message.set_body(Large());
  EXPECT_FALSE(IsTaken<Needy>(message.SerializePartialAsString()));
  message.set_number(1);
  EXPECT_TRUE(IsTaken<Needy>(message.SerializeAsString()));
}

TEST(ReceivedBody, ReplacesWhatWasInTheMessage) {
  EchoReply message;
  message.set_payload(Large());
  const std::string wire = message.SerializeAsString();
  ReceivedMessage received = Receive(wire, *Find(wire), 1000);
  EchoReply taken;
  taken.set_payload("old");
  taken.mutable_summary()->set_bytes(1);
  ASSERT_TRUE(TakeBody(&received, &taken));
  EXPECT_TRUE(taken.SerializeAsString() == wire);
}

// Reading a stream into one message takes no new memory.
TEST(ReceivedBody, TheStringOfLastTimeIsUsedAgain) {
  EchoReply message;
  message.set_payload(Large());
  const std::string wire = message.SerializeAsString();
  EchoReply taken;
  const char* first = nullptr;
  for (int i = 0; i < 5; ++i) {
    ReceivedMessage received = Receive(wire, *Find(wire), 1000);
    ASSERT_TRUE(TakeBody(&received, &taken));
    EXPECT_TRUE(taken.SerializeAsString() == wire);
    const char* const data = taken.payload().data();
    if (i == 0) first = data;
    // There are two, which take turns.
    EXPECT_EQ(data == first, i % 2 == 0);
  }
}

// Whatever is around the value.
TEST(ReceivedBody, IsWhatProtobufMakesOfIt) {
  std::mt19937 random(1);
  Bodies body;
  body.set_one(Large());
  Bodies text;
  text.set_text(Large());
  const std::string values[] = {body.SerializeAsString(),
                                text.SerializeAsString()};
  Bodies beside;
  beside.set_one("one");
  beside.add_many("many");
  beside.set_number(-1);
  beside.set_right(5);
  beside.mutable_nested()->set_number(7);
  beside.mutable_group()->set_inside(8);
  (*beside.mutable_mapped())[1] = "mapped";
  const std::string good = beside.SerializeAsString();
  const auto make = [&] {
    std::string part = good.substr(random() % good.size());
    part.resize(random() % (part.size() + 1));
    for (int i = random() % 3; i > 0 && !part.empty(); --i)
      part[random() % part.size()] = static_cast<char>(random());
    return part;
  };
  int taken = 0;
  constexpr int kTries = 2000;
  for (int i = 0; i < kTries; ++i) {
    taken += IsTaken<Bodies>(make() + values[i % 2] + make());
  }
  EXPECT_GT(taken, kTries / 100);
  EXPECT_LT(taken, kTries);
}

}  // namespace
}  // namespace grpc_shm
