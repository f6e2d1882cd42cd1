// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/mailbox/message_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace grpc_shm::bench::mailbox {
namespace {

constexpr MessageId kId = {3, 123456789};

std::string Make(const MessagePattern& pattern, const MessageId& id) {
  std::string message(pattern.bytes(), 'x');
  pattern.Write(id, message.data());
  return message;
}

TEST(MessagePattern, ReadsWhatItWrote) {
  for (size_t bytes : {32, 64, 100, 4096, 4104, 4112, 10000, 1 << 20}) {
    for (auto extent :
         {MessagePattern::Extent::kAll, MessagePattern::Extent::kEnds}) {
      const MessagePattern pattern(bytes, extent);
      ASSERT_EQ(pattern.bytes(), bytes);
      const absl::StatusOr<MessageId> id = pattern.Read(Make(pattern, kId));
      ASSERT_TRUE(id.ok()) << id.status();
      EXPECT_EQ(*id, kId);
    }
  }
}

TEST(MessagePattern, FindsEveryByteThatIsWrong) {
  const MessagePattern pattern(9000);
  std::string message = Make(pattern, kId);
  for (char& byte : message) {
    byte ^= 4;
    EXPECT_EQ(pattern.Read(message).status().code(),
              absl::StatusCode::kDataLoss);
    byte ^= 4;
  }
  EXPECT_TRUE(pattern.Read(message).ok());
}

TEST(MessagePattern, FindsAPieceOfAnotherMessage) {
  const MessagePattern pattern(3 * MessagePattern::kBlockBytes);
  const std::string message = Make(pattern, kId);
  const std::string other = Make(pattern, {kId.sender, kId.sequence + 1});
  for (size_t block = 0; block < 3; ++block) {
    std::string mixed = message;
    mixed.replace(
        block * MessagePattern::kBlockBytes, MessagePattern::kBlockBytes, other,
        block * MessagePattern::kBlockBytes, MessagePattern::kBlockBytes);
    EXPECT_FALSE(pattern.Read(mixed).ok()) << block;
  }
}

TEST(MessagePattern, FindsAMessageThatIsCut) {
  const MessagePattern pattern(100);
  std::string message = Make(pattern, kId);
  message.pop_back();
  EXPECT_FALSE(pattern.Read(message).ok());
}

TEST(MessagePattern, FindsSwappedEnds) {
  const MessagePattern pattern(4096, MessagePattern::Extent::kEnds);
  std::string message = Make(pattern, kId);
  message.replace(message.size() - 8, 8,
                  Make(pattern, {kId.sender, kId.sequence + 1}),
                  message.size() - 8, 8);
  EXPECT_FALSE(pattern.Read(message).ok());
}

}  // namespace
}  // namespace grpc_shm::bench::mailbox
