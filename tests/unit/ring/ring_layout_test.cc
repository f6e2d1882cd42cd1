// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Two processes of different builds share rings, so what a ring looks like is
// a promise. If a test here fails, the layout changed: increment the layout
// version that the hand-shake compares, then change the test.

#include "transport/ring/ring_layout.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "gtest/gtest.h"
#include "tests/unit/ring/test_ring.h"
#include "transport/ring/ring_consumer.h"
#include "transport/ring/ring_producer.h"

namespace grpc_shm {
namespace {

constexpr char kHint[] =
    "The shared-memory layout changed: increment the layout version.";

template <class T>
T ValueAt(const void* base, size_t offset) {
  T value;
  std::memcpy(&value, static_cast<const char*>(base) + offset, sizeof(value));
  return value;
}

TEST(RingLayout, ControlBlockIsWhatOtherBuildsExpect) {
  TestRing ring(4096);
  RingControl* const control = ring.control();
  control->tail.store(0x1111111111111111, std::memory_order_relaxed);
  control->consumer_armed.store(0x22222222, std::memory_order_relaxed);
  control->head.store(0x3333333333333333, std::memory_order_relaxed);
  control->producer_armed.store(0x44444444, std::memory_order_relaxed);

  EXPECT_EQ(sizeof(RingControl), 512) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(control, 0), 0x1111111111111111) << kHint;
  EXPECT_EQ(ValueAt<uint32_t>(control, 128), 0x22222222) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(control, 256), 0x3333333333333333) << kHint;
  EXPECT_EQ(ValueAt<uint32_t>(control, 384), 0x44444444) << kHint;
}

TEST(RingLayout, RecordIsWhatOtherBuildsExpect) {
  TestRing ring(4096);
  RingProducer producer(ring.control(), ring.data(), ring.capacity());
  std::memcpy(producer.TryReserve(5), "first", 5);
  producer.Commit({5, 0x66, 0x77, 0, 0x8888888888888888});
  std::memcpy(producer.TryReserve(16), "second, 16 bytes", 16);
  producer.Commit({16, 1, 2, 0, 3});
  producer.Publish();

  const std::byte* const data = ring.data();
  EXPECT_EQ(ValueAt<uint32_t>(data, 0), 5u) << kHint;
  EXPECT_EQ(ValueAt<uint8_t>(data, 4), 0x66) << kHint;
  EXPECT_EQ(ValueAt<uint8_t>(data, 5), 0x77) << kHint;
  EXPECT_EQ(ValueAt<uint16_t>(data, 6), 0) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(data, 8), 0x8888888888888888) << kHint;
  EXPECT_EQ(std::memcmp(data + 16, "first", 5), 0) << kHint;
  EXPECT_EQ(ValueAt<uint32_t>(data, 32), 16u) << kHint;
  EXPECT_EQ(std::memcmp(data + 48, "second, 16 bytes", 16), 0) << kHint;
  EXPECT_EQ(ValueAt<uint64_t>(ring.control(), 0), 64u) << kHint;
}

TEST(RingLayout, ZeroedMemoryIsAnEmptyRing) {
  TestRing ring(4096);
  const RingControl fresh;
  EXPECT_EQ(ring.control()->tail.load(std::memory_order_relaxed),
            fresh.tail.load(std::memory_order_relaxed));
  RingConsumer consumer(ring.control(), ring.data(), ring.capacity());
  RecordHeader header;
  const std::byte* payload;
  EXPECT_EQ(consumer.Peek(&header, &payload), RingConsumer::Next::kEmpty);
}

TEST(RingLayout, CapacityIsABoundedPowerOfTwo) {
  EXPECT_TRUE(IsValidRingCapacity(4096));
  EXPECT_TRUE(IsValidRingCapacity(size_t{1} << 30));
  EXPECT_FALSE(IsValidRingCapacity(0));
  EXPECT_FALSE(IsValidRingCapacity(2048));
  EXPECT_FALSE(IsValidRingCapacity(4097));
  EXPECT_FALSE(IsValidRingCapacity(3 * 4096));
  EXPECT_FALSE(IsValidRingCapacity(size_t{1} << 31));
  EXPECT_FALSE(IsValidRingCapacity(~uint64_t{0}));
}

TEST(RingLayout, RecordsTakeWholeUnits) {
  EXPECT_EQ(RecordBytes(0), 16u) << kHint;
  EXPECT_EQ(RecordBytes(1), 32u) << kHint;
  EXPECT_EQ(RecordBytes(16), 32u) << kHint;
  EXPECT_EQ(RecordBytes(17), 48u) << kHint;
  EXPECT_EQ(MaxRecordPayload(4096), 2032u) << kHint;
}

}  // namespace
}  // namespace grpc_shm
