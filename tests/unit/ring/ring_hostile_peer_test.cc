// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What a peer can write into the shared memory to harm us: one lie per test.
// Each must break this ring and nothing else.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>

#include "gtest/gtest.h"
#include "tests/unit/ring/test_ring.h"
#include "transport/ring/ring_consumer.h"
#include "transport/ring/ring_layout.h"
#include "transport/ring/ring_producer.h"

namespace grpc_shm {
namespace {

using Next = RingConsumer::Next;

constexpr size_t kCapacity = 4096;

// What a hostile process would do: store whatever it likes.
void SetTail(const TestRing& ring, uint64_t tail) {
  ring.control()->tail.store(tail, std::memory_order_relaxed);
}
void SetHead(const TestRing& ring, uint64_t head) {
  ring.control()->head.store(head, std::memory_order_relaxed);
}
void SetHeader(const TestRing& ring, size_t offset, RecordHeader header) {
  std::memcpy(ring.data() + offset, &header, sizeof(header));
}

// The peer produces, we consume. The first record is honest: 32 bytes of which
// the consumer has read and released everything, so that there is a past to
// go back to.
class HostileProducer : public ::testing::Test {
 protected:
  HostileProducer() {
    SetHeader(ring_, 0, {16, 0, 0, 0, 0});
    SetTail(ring_, 32);
    EXPECT_EQ(Peek(), Next::kRecord);
    consumer_.Pop();
    consumer_.Release();
    EXPECT_FALSE(consumer_.TakeProducerWakeup());
  }

  Next Peek() { return consumer_.Peek(&header_, &payload_); }

  void ExpectBroken() {
    EXPECT_EQ(Peek(), Next::kBroken);
    // For good, even if the peer mends its ways.
    SetHeader(ring_, 32, {16, 0, 0, 0, 0});
    SetTail(ring_, 64);
    EXPECT_EQ(Peek(), Next::kBroken);
    // Nobody sleeps on a broken ring.
    EXPECT_FALSE(consumer_.Arm());
  }

  TestRing ring_{kCapacity};
  RingConsumer consumer_{ring_.control(), ring_.data(), kCapacity};
  RecordHeader header_;
  const std::byte* payload_ = nullptr;
};

TEST_F(HostileProducer, CannotPublishMoreThanTheRingHolds) {
  SetTail(ring_, 32 + kCapacity + 16);
  ExpectBroken();
}

TEST_F(HostileProducer, MayPublishExactlyWhatTheRingHolds) {
  SetHeader(ring_, 32, {16, 0, 0, 0, 0});
  SetTail(ring_, 32 + kCapacity);
  EXPECT_EQ(Peek(), Next::kRecord);
}

TEST_F(HostileProducer, CannotTakeRecordsBack) {
  SetTail(ring_, 16);
  ExpectBroken();
}

TEST_F(HostileProducer, CannotTakeBackWhatWasNotReadYet) {
  SetHeader(ring_, 32, {0, 0, 0, 0, 0});
  SetHeader(ring_, 48, {0, 0, 0, 0, 0});
  SetTail(ring_, 64);
  EXPECT_EQ(Peek(), Next::kRecord);
  SetTail(ring_, 48);
  // Both were granted by the first look and are read; the lie shows after.
  consumer_.Pop();
  EXPECT_EQ(Peek(), Next::kRecord);
  consumer_.Pop();
  EXPECT_EQ(Peek(), Next::kBroken);
}

TEST_F(HostileProducer, CannotPublishIntoSpaceThatIsNotReleased) {
  SetHeader(ring_, 32, {16, 0, 0, 0, 0});
  SetTail(ring_, 64);
  EXPECT_EQ(Peek(), Next::kRecord);
  consumer_.Pop();  // Popped, so all is read; but not released.
  SetTail(ring_, 64 + kCapacity);
  EXPECT_EQ(Peek(), Next::kBroken);
}

TEST_F(HostileProducer, CannotPublishTheLargestPosition) {
  SetTail(ring_, ~uint64_t{0});
  ExpectBroken();
}

TEST_F(HostileProducer, CannotPublishTheLargestAlignedPosition) {
  SetTail(ring_, ~uint64_t{15});
  ExpectBroken();
}

TEST_F(HostileProducer, CannotPublishPartOfAHeader) {
  SetTail(ring_, 32 + 8);
  ExpectBroken();
}

TEST_F(HostileProducer, CannotPublishPartOfAHeaderAfterAWholeRecord) {
  SetHeader(ring_, 32, {0, 0, 0, 0, 0});
  SetTail(ring_, 32 + 16 + 8);
  ExpectBroken();
}

TEST_F(HostileProducer, CannotClaimMoreThanItPublished) {
  SetHeader(ring_, 32, {17, 0, 0, 0, 0});
  SetTail(ring_, 64);
  ExpectBroken();
}

TEST_F(HostileProducer, CannotClaimMoreThanHalfOfTheRing) {
  SetHeader(
      ring_, 32,
      {static_cast<uint32_t>(MaxRecordPayload(kCapacity)) + 1, 0, 0, 0, 0});
  SetTail(ring_, 32 + kCapacity);
  ExpectBroken();
}

TEST_F(HostileProducer, CannotClaimTheLargestLength) {
  SetHeader(ring_, 32, {~uint32_t{0}, 0, 0, 0, 0});
  SetTail(ring_, 32 + kCapacity);
  ExpectBroken();
}

TEST_F(HostileProducer, CannotUseTheReservedBytes) {
  SetHeader(ring_, 32, {16, 0, 0, 1, 0});
  SetTail(ring_, 64);
  ExpectBroken();
}

TEST_F(HostileProducer, CannotChangeALengthThatWasChecked) {
  SetHeader(ring_, 32, {16, 0, 0, 0, 0});
  SetHeader(ring_, 64, {16, 0, 0, 0, 7});
  SetTail(ring_, 96);
  ASSERT_EQ(Peek(), Next::kRecord);
  SetHeader(ring_, 32, {~uint32_t{0}, 0, 0, 0, 0});
  EXPECT_EQ(header_.length, 16u);
  consumer_.Pop();
  ASSERT_EQ(Peek(), Next::kRecord);
  EXPECT_EQ(header_.call_id, 7u);
}

TEST_F(HostileProducer, CannotMakeUsTrustItsCopyOfOurHead) {
  SetHead(ring_, 12345);
  SetHeader(ring_, 32, {16, 0, 0, 0, 0});
  SetTail(ring_, 64);
  ASSERT_EQ(Peek(), Next::kRecord);
  EXPECT_EQ(payload_, ring_.data() + 48);
  consumer_.Pop();
  consumer_.Release();
  EXPECT_EQ(ring_.control()->head.load(std::memory_order_relaxed), 64u);
}

TEST_F(HostileProducer, MayArmWithAnyValue) {
  ring_.control()->producer_armed.store(0xdeadbeef, std::memory_order_relaxed);
  SetHeader(ring_, 32, {16, 0, 0, 0, 0});
  SetTail(ring_, 64);
  ASSERT_EQ(Peek(), Next::kRecord);
  consumer_.Pop();
  consumer_.Release();
  EXPECT_TRUE(consumer_.TakeProducerWakeup());
  EXPECT_EQ(ring_.control()->producer_armed.load(std::memory_order_relaxed),
            0u);
}

TEST_F(HostileProducer, CannotKeepUsFromSleepingByDisarmingUs) {
  ASSERT_TRUE(consumer_.Arm());
  ring_.control()->consumer_armed.store(0, std::memory_order_relaxed);
  EXPECT_TRUE(consumer_.Arm());
}

// No overflow on the way, says UndefinedBehaviorSanitizer.
TEST_F(HostileProducer, MayRingFromAnyCore) {
  const auto core_of = [this](uint32_t word) {
    ring_.control()->producer_core.store(word, std::memory_order_relaxed);
    return consumer_.ProducersCore();
  };
  EXPECT_EQ(core_of(0), -1);
  EXPECT_EQ(core_of(0x80000000), 0x7fffffff);
  EXPECT_EQ(core_of(0xffffffff), -2);
}

// The peer consumes, we produce. 64 bytes are published, of which the peer has
// released 32.
class HostileConsumer : public ::testing::Test {
 protected:
  HostileConsumer() {
    Write();
    Write();
    producer_.Publish();
    SetHead(ring_, 32);
    // Fills the ring, so that the next look at the head is a real one.
    while (Write()) {
    }
    producer_.Publish();
    EXPECT_FALSE(producer_.broken());
    // 32 bytes are read, 4096 more written.
  }

  bool Write() {
    if (producer_.TryReserve(16) == nullptr) return false;
    producer_.Commit({16, 0, 0, 0, 0});
    return true;
  }

  void ExpectBroken() {
    EXPECT_FALSE(Write());
    EXPECT_TRUE(producer_.broken());
    producer_.Publish();
    // For good, even if the peer mends its ways.
    SetHead(ring_, 64);
    EXPECT_FALSE(Write());
    EXPECT_TRUE(producer_.broken());
    // Nobody sleeps on a broken ring.
    EXPECT_FALSE(producer_.ArmForSpace(16));
  }

  TestRing ring_{kCapacity};
  RingProducer producer_{ring_.control(), ring_.data(), kCapacity};
};

TEST_F(HostileConsumer, MayReleaseWhatWasPublished) {
  SetHead(ring_, 64);
  EXPECT_TRUE(Write());
  EXPECT_FALSE(Write());
  EXPECT_FALSE(producer_.broken());
}

TEST_F(HostileConsumer, CannotReleaseMoreThanWasPublished) {
  SetHead(ring_, 32 + kCapacity + 16);
  ExpectBroken();
}

TEST_F(HostileConsumer, CannotReleaseWhatIsCommittedButNotPublished) {
  SetHead(ring_, 64);
  ASSERT_TRUE(Write());
  SetHead(ring_, 64 + kCapacity);
  ExpectBroken();
}

TEST_F(HostileConsumer, CannotTakeSpaceBack) {
  SetHead(ring_, 16);
  ExpectBroken();
}

TEST_F(HostileConsumer, CannotReleaseTheLargestPosition) {
  SetHead(ring_, ~uint64_t{0});
  ExpectBroken();
}

TEST_F(HostileConsumer, CannotReleaseTheLargestAlignedPosition) {
  SetHead(ring_, ~uint64_t{15});
  ExpectBroken();
}

TEST_F(HostileConsumer, CannotReleasePartOfARecordUnit) {
  SetHead(ring_, 40);
  ExpectBroken();
}

TEST_F(HostileConsumer, GetsNoMoreRecordsThoughSomeSpaceIsKnownToBeFree) {
  SetHead(ring_, 64);
  ASSERT_TRUE(Write());
  producer_.Publish();
  SetHead(ring_, 128);
  ASSERT_TRUE(Write());  // 32 bytes more would be free.
  producer_.Publish();
  SetHead(ring_, 0);
  EXPECT_EQ(producer_.TryReserve(100), nullptr);
  EXPECT_TRUE(producer_.broken());
  EXPECT_FALSE(Write());
}

TEST_F(HostileConsumer, CannotMakeUsTrustItsCopyOfOurTail) {
  SetTail(ring_, 12345);
  SetHead(ring_, 64);
  EXPECT_TRUE(Write());
  producer_.Publish();
  EXPECT_EQ(ring_.control()->tail.load(std::memory_order_relaxed),
            64 + kCapacity);
}

TEST_F(HostileConsumer, MayArmWithAnyValue) {
  ring_.control()->consumer_armed.store(0xdeadbeef, std::memory_order_relaxed);
  SetHead(ring_, 64);
  EXPECT_TRUE(Write());
  EXPECT_EQ(producer_.Publish(), armed_flag::kAtDoorbell);
  EXPECT_EQ(ring_.control()->consumer_armed.load(std::memory_order_relaxed),
            0u);
}

// Anything at all in the shared memory: what a consumer is granted always lies
// in the data area, and what a producer is granted too.
TEST(HostilePeer, NeverLeadsUsOutsideTheDataArea) {
  std::minstd_rand random(2026);
  int records = 0;
  int reservations = 0;
  for (int round = 0; round < 2000; ++round) {
    TestRing ring(kCapacity);
    RingProducer producer(ring.control(), ring.data(), kCapacity);
    RingConsumer consumer(ring.control(), ring.data(), kCapacity);
    const std::byte* const end = ring.data() + 2 * kCapacity;
    for (int step = 0; step < 40; ++step) {
      // Near the truth more often than not, or every round would end at once.
      const uint64_t tail = ring.control()->tail.load();
      const uint64_t head = ring.control()->head.load();
      switch (random() % 8) {
        case 0:
          SetTail(ring, random() % 8 == 0 ? random()
                                          : tail + random() % 1024 / 16 * 16);
          break;
        case 1:
          SetHead(ring, random() % 8 == 0 ? random()
                                          : head + random() % 1024 / 16 * 16);
          break;
        case 2:
          SetHeader(ring, random() % (kCapacity / 16) * 16,
                    {static_cast<uint32_t>(random() % 4096), 0, 0,
                     static_cast<uint16_t>(random() % 4 == 0), random()});
          break;
        case 3: {
          const size_t bytes = random() % (producer.max_payload() + 1);
          std::byte* const payload = producer.TryReserve(bytes);
          if (payload == nullptr) break;
          ASSERT_GE(payload, ring.data());
          ASSERT_LE(payload + bytes, end);
          std::memset(payload, 0, bytes);
          producer.Commit({static_cast<uint32_t>(bytes), 0, 0, 0, 0});
          if (random() % 2 == 0) producer.Publish();
          ++reservations;
          break;
        }
        default: {
          RecordHeader header;
          const std::byte* payload;
          if (consumer.Peek(&header, &payload) != Next::kRecord) break;
          ASSERT_GE(payload, ring.data());
          ASSERT_LE(payload + header.length, end);
          consumer.Pop();
          if (random() % 2 == 0) consumer.Release();
          ++records;
          break;
        }
      }
    }
  }
  EXPECT_GT(records, 10000);
  EXPECT_GT(reservations, 1000);
}

}  // namespace
}  // namespace grpc_shm
