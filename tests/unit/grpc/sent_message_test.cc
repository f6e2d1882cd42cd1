// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/sent_message.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "google/protobuf/descriptor.pb.h"
#include "gtest/gtest.h"
#include "transport/call/message.h"

namespace grpc_shm {
namespace {

using google::protobuf::FileDescriptorProto;

std::string Letters(size_t bytes, char first) {
  std::string letters(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) {
    letters[i] = static_cast<char>(first + i % 23);
  }
  return letters;
}

std::string ReadAll(OutgoingMessage* message, size_t part) {
  std::string bytes;
  while (message->left() > 0) {
    std::string next(std::min(part, message->left()), '\0');
    message->Read(reinterpret_cast<std::byte*>(next.data()), next.size());
    bytes += next;
  }
  return bytes;
}

void ExpectAsProtobufDoes(const FileDescriptorProto& message, bool borrowed) {
  const std::string wanted = message.SerializeAsString();
  for (const size_t part : {size_t{1000}, size_t{32} << 10, wanted.size()}) {
    absl::optional<OutgoingMessage> sent =
        Serialize(message, /*may_borrow=*/true);
    ASSERT_TRUE(sent.has_value());
    EXPECT_EQ(sent->size(), wanted.size());
    EXPECT_EQ(sent->is_borrowed(), borrowed);
    EXPECT_TRUE(ReadAll(&*sent, part) == wanted) << wanted.size();
  }
}

TEST(SentMessage, SmallOnesAreCopied) {
  FileDescriptorProto message;
  ExpectAsProtobufDoes(message, false);
  message.set_name("name");
  message.set_package(Letters(60000, 'A'));
  ExpectAsProtobufDoes(message, false);
}

TEST(SentMessage, LargeStringsAreBorrowed) {
  FileDescriptorProto message;
  message.set_name(Letters(1 << 20, 'A'));
  ExpectAsProtobufDoes(message, true);
  message.set_package("small");
  message.add_dependency(Letters(100000, 'B'));
  message.add_dependency(Letters(5000, 'C'));
  message.add_dependency("");
  message.set_syntax(Letters(70000, 'D'));
  ExpectAsProtobufDoes(message, true);
}

TEST(SentMessage, LargeOnesAreCopiedIfTheyMustBe) {
  FileDescriptorProto message;
  message.set_name(Letters(1 << 20, 'A'));
  const std::string wanted = message.SerializeAsString();
  absl::optional<OutgoingMessage> sent =
      Serialize(message, /*may_borrow=*/false);
  ASSERT_TRUE(sent.has_value());
  EXPECT_FALSE(sent->is_borrowed());
  message.mutable_name()->assign(1 << 20, '!');
  EXPECT_TRUE(ReadAll(&*sent, 5000) == wanted);
}

// Strings about as large as what is written in between has room for.
TEST(SentMessage, StringsOfAllSizesAreInTheirPlace) {
  FileDescriptorProto message;
  for (size_t bytes = 0; bytes < 9000; bytes += 7) {
    message.add_dependency(Letters(bytes, 'A'));
    message.add_message_type()->set_name(Letters(bytes % 300, 'a'));
  }
  ExpectAsProtobufDoes(message, true);
}

TEST(SentMessage, ManySmallPartsAreInTheirPlace) {
  FileDescriptorProto message;
  for (int i = 0; i < 100000; ++i) message.add_public_dependency(i);
  for (int i = 0; i < 20000; ++i) {
    message.add_message_type()->add_field()->set_number(i);
  }
  message.add_dependency(Letters(100000, 'A'));
  ExpectAsProtobufDoes(message, true);
}

TEST(SentMessage, IsSentFromWhereItIsUntilItIsKept) {
  FileDescriptorProto message;
  message.set_name(Letters(1 << 20, 'A'));
  const std::string wanted = message.SerializeAsString();
  absl::optional<OutgoingMessage> sent =
      Serialize(message, /*may_borrow=*/true);
  ASSERT_TRUE(sent.has_value());
  std::string got(1000, '\0');
  sent->Read(reinterpret_cast<std::byte*>(got.data()), got.size());
  ASSERT_TRUE(sent->Keep());
  EXPECT_FALSE(sent->is_borrowed());
  message.mutable_name()->assign(1 << 20, '!');
  EXPECT_EQ(sent->size(), wanted.size());
  EXPECT_EQ(sent->left(), wanted.size() - got.size());
  got += ReadAll(&*sent, 5000);
  EXPECT_TRUE(got == wanted);
}

TEST(SentMessage, WithoutRequiredFieldsIsNone) {
  google::protobuf::UninterpretedOption message;
  message.add_name();  // has required fields
  EXPECT_FALSE(Serialize(message, /*may_borrow=*/true).has_value());
}

}  // namespace
}  // namespace grpc_shm
