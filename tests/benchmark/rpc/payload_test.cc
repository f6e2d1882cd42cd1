// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/payload.h"

#include <gtest/gtest.h>

#include <string>

namespace grpc_shm::bench {
namespace {

constexpr size_t kBlock = PayloadPattern::kBlockBytes;
constexpr size_t kBytes = 3 * kBlock + 100;
constexpr uint64_t kSequence = 41;

std::string Message(const PayloadPattern& pattern, uint64_t sequence) {
  std::string data;
  pattern.Write(sequence, &data);
  return data;
}

void ExpectDataLoss(const PayloadPattern& pattern, const std::string& data) {
  EXPECT_EQ(pattern.Verify(kSequence, data).code(),
            absl::StatusCode::kDataLoss);
}

TEST(Payload, EverySizeVerifies) {
  for (size_t bytes : {size_t{0}, size_t{1}, size_t{7}, size_t{8}, size_t{64},
                       kBlock, kBlock + 3, kBytes}) {
    const PayloadPattern pattern(bytes);
    const std::string data = Message(pattern, kSequence);
    EXPECT_EQ(data.size(), bytes);
    EXPECT_TRUE(pattern.Verify(kSequence, data).ok()) << bytes;
  }
}

TEST(Payload, ABufferUsedAgainIsTheNewMessage) {
  const PayloadPattern pattern(kBytes);
  std::string data = Message(pattern, kSequence);
  pattern.Write(kSequence + 1, &data);
  EXPECT_EQ(data, Message(pattern, kSequence + 1));
  ExpectDataLoss(pattern, data);
}

TEST(Payload, AnyChangedByteIsFound) {
  const PayloadPattern pattern(kBytes);
  std::string data = Message(pattern, kSequence);
  for (char& byte : data) {
    ++byte;
    ExpectDataLoss(pattern, data);
    --byte;
  }
}

TEST(Payload, ACutMessageIsFound) {
  const PayloadPattern pattern(kBytes);
  const std::string data = Message(pattern, kSequence);
  ExpectDataLoss(pattern, data.substr(1));
  ExpectDataLoss(pattern, data + "x");
  ExpectDataLoss(pattern, "");
}

TEST(Payload, AStaleBlockIsFound) {
  const PayloadPattern pattern(kBytes);
  std::string data = Message(pattern, kSequence);
  data.replace(kBlock, kBlock, Message(pattern, kSequence - 1), kBlock, kBlock);
  ExpectDataLoss(pattern, data);
}

TEST(Payload, BlocksInTheWrongOrderAreFound) {
  const PayloadPattern pattern(kBytes);
  const std::string data = Message(pattern, kSequence);
  const std::string swapped = data.substr(kBlock, kBlock) +
                              data.substr(0, kBlock) + data.substr(2 * kBlock);
  ASSERT_EQ(swapped.size(), data.size());
  ExpectDataLoss(pattern, swapped);
}

}  // namespace
}  // namespace grpc_shm::bench
