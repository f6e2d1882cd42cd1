// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Producer and consumer of one ring, driven by one thread.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "tests/unit/ring/test_ring.h"
#include "transport/ring/ring_consumer.h"
#include "transport/ring/ring_layout.h"
#include "transport/ring/ring_producer.h"

namespace grpc_shm {
namespace {

using Next = RingConsumer::Next;

class Ring : public ::testing::Test {
 protected:
  // Commits a record without publishing it; false when the ring is full.
  bool Write(absl::string_view text, uint64_t call_id = 0) {
    std::byte* const payload = producer_.TryReserve(text.size());
    if (payload == nullptr) return false;
    std::memcpy(payload, text.data(), text.size());
    producer_.Commit({static_cast<uint32_t>(text.size()), /*type=*/3,
                      /*flags=*/5,
                      /*reserved=*/0, call_id});
    return true;
  }

  // Peeks at a record and pops it; kMissing when there is none.
  std::string Read() {
    RecordHeader header;
    const std::byte* payload;
    if (consumer_.Peek(&header, &payload) != Next::kRecord) return kMissing;
    std::string text(reinterpret_cast<const char*>(payload), header.length);
    consumer_.Pop();
    return text;
  }

  Next Peek() {
    RecordHeader header;
    const std::byte* payload;
    return consumer_.Peek(&header, &payload);
  }

  static constexpr size_t kCapacity = 4096;
  const std::string kMissing = "(no record)";

  TestRing ring_{kCapacity};
  RingProducer producer_{ring_.control(), ring_.data(), kCapacity};
  RingConsumer consumer_{ring_.control(), ring_.data(), kCapacity};
};

TEST_F(Ring, DeliversHeaderAndPayloadUnchanged) {
  ASSERT_TRUE(Write("payload", 0x0123456789abcdef));
  producer_.Publish();
  RecordHeader header;
  const std::byte* payload;
  ASSERT_EQ(consumer_.Peek(&header, &payload), Next::kRecord);
  EXPECT_EQ(header.length, 7u);
  EXPECT_EQ(header.type, 3);
  EXPECT_EQ(header.flags, 5);
  EXPECT_EQ(header.reserved, 0);
  EXPECT_EQ(header.call_id, 0x0123456789abcdefu);
  EXPECT_EQ(std::memcmp(payload, "payload", 7), 0);
}

TEST_F(Ring, ShowsNothingBeforeItIsPublished) {
  ASSERT_TRUE(Write("a"));
  EXPECT_EQ(Peek(), Next::kEmpty);
  ASSERT_TRUE(Write("b"));
  EXPECT_EQ(Peek(), Next::kEmpty);
  producer_.Publish();
  EXPECT_EQ(Read(), "a");
  EXPECT_EQ(Read(), "b");
  EXPECT_EQ(Peek(), Next::kEmpty);
}

TEST_F(Ring, ForgetsAReservationThatIsNotCommitted) {
  ASSERT_NE(producer_.TryReserve(100), nullptr);
  ASSERT_TRUE(Write("a"));
  producer_.Publish();
  EXPECT_EQ(Read(), "a");
  EXPECT_EQ(Read(), kMissing);
}

TEST_F(Ring, TakesLessThanWasReserved) {
  std::byte* const payload = producer_.TryReserve(1000);
  ASSERT_NE(payload, nullptr);
  std::memcpy(payload, "ab", 2);
  producer_.Commit({2, 0, 0, 0, 0});
  ASSERT_TRUE(Write("next"));
  producer_.Publish();
  EXPECT_EQ(Read(), "ab");
  EXPECT_EQ(Read(), "next");
}

TEST_F(Ring, PeeksAtTheSameRecordUntilItIsPopped) {
  ASSERT_TRUE(Write("a"));
  ASSERT_TRUE(Write("b"));
  producer_.Publish();
  EXPECT_EQ(Peek(), Next::kRecord);
  EXPECT_EQ(Peek(), Next::kRecord);
  EXPECT_EQ(Read(), "a");
  EXPECT_EQ(Read(), "b");
}

TEST_F(Ring, CarriesEmptyPayloads) {
  ASSERT_TRUE(Write("", 1));
  ASSERT_TRUE(Write("", 2));
  producer_.Publish();
  EXPECT_EQ(Read(), "");
  EXPECT_EQ(Read(), "");
  EXPECT_EQ(Read(), kMissing);
}

TEST_F(Ring, CarriesTheLargestPayloadTwiceAtOnce) {
  EXPECT_EQ(producer_.max_payload(), kCapacity / 2 - sizeof(RecordHeader));
  const std::string a(producer_.max_payload(), 'a');
  const std::string b(producer_.max_payload(), 'b');
  ASSERT_TRUE(Write(a));
  ASSERT_TRUE(Write(b));
  EXPECT_FALSE(Write(""));
  producer_.Publish();
  EXPECT_EQ(Read(), a);
  EXPECT_EQ(Read(), b);
}

TEST_F(Ring, GivesPayloadsAlignedToSixteenBytes) {
  for (size_t bytes : {1, 15, 16, 17, 100}) {
    std::byte* const payload = producer_.TryReserve(bytes);
    ASSERT_NE(payload, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(payload) % 16, 0u);
    producer_.Commit({static_cast<uint32_t>(bytes), 0, 0, 0, 0});
  }
}

TEST_F(Ring, FillsToTheLastByteAndThenRefuses) {
  for (size_t i = 0; i < kCapacity / RecordBytes(16); ++i) {
    ASSERT_TRUE(Write("sixteen bytes ok"));
  }
  EXPECT_FALSE(Write(""));
  EXPECT_FALSE(producer_.broken());
}

TEST_F(Ring, IsFullUntilTheConsumerReleases) {
  while (Write("sixteen bytes ok")) {
  }
  producer_.Publish();
  EXPECT_EQ(Read(), "sixteen bytes ok");
  EXPECT_FALSE(Write("x"));
  consumer_.Release();
  EXPECT_TRUE(Write("x"));
  EXPECT_FALSE(Write("y"));
}

TEST_F(Ring, KeepsRecordsContiguousAcrossTheEnd) {
  // 80-byte records do not divide the ring, so that some lie across its end.
  int across = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string text = std::to_string(i) + std::string(60, '.');
    std::byte* const payload = producer_.TryReserve(text.size());
    ASSERT_NE(payload, nullptr);
    if (payload + text.size() > ring_.data() + kCapacity) ++across;
    std::memcpy(payload, text.data(), text.size());
    producer_.Commit({static_cast<uint32_t>(text.size()), 0, 0, 0, 0});
    producer_.Publish();
    ASSERT_EQ(Read(), text);
    consumer_.Release();
  }
  EXPECT_GT(across, 10);
}

TEST_F(Ring, RunsManyTimesRoundWithEverySizeOfRecord) {
  uint64_t written = 0;
  uint64_t read = 0;
  const auto text = [&](uint64_t i) {
    return std::string(i * 37 % (producer_.max_payload() + 1),
                       static_cast<char>('a' + i % 26));
  };
  while (read < 20000) {
    while (Write(text(written), written)) ++written;
    producer_.Publish();
    while (Peek() == Next::kRecord) {
      ASSERT_EQ(Read(), text(read));
      ++read;
    }
    ASSERT_EQ(read, written);
    consumer_.Release();
  }
}

TEST_F(Ring, StartsAConsumerOnWhatWasWrittenBefore) {
  ASSERT_TRUE(Write("early"));
  producer_.Publish();
  RingConsumer late(ring_.control(), ring_.data(), kCapacity);
  RecordHeader header;
  const std::byte* payload;
  ASSERT_EQ(late.Peek(&header, &payload), Next::kRecord);
  EXPECT_EQ(std::memcmp(payload, "early", 5), 0);
}

TEST_F(Ring, RingsNoDoorbellForAConsumerThatIsAwake) {
  ASSERT_TRUE(Write("a"));
  EXPECT_FALSE(producer_.Publish());
}

TEST_F(Ring, RingsTheDoorbellOfASleepingConsumerOnce) {
  ASSERT_TRUE(consumer_.Arm());
  ASSERT_TRUE(Write("a"));
  EXPECT_TRUE(producer_.Publish());
  ASSERT_TRUE(Write("b"));
  EXPECT_FALSE(producer_.Publish());
}

TEST_F(Ring, SaysWhereTheConsumerSleeps) {
  for (const auto where : {armed_flag::kAtDoorbell, armed_flag::kAtFlag}) {
    ASSERT_TRUE(consumer_.Arm(where));
    EXPECT_EQ(*consumer_.flag(), static_cast<uint32_t>(where));
    ASSERT_TRUE(Write("a"));
    EXPECT_EQ(producer_.Publish(), where);
    EXPECT_EQ(*consumer_.flag(), static_cast<uint32_t>(armed_flag::kAwake));
    EXPECT_EQ(Read(), "a");
    consumer_.Release();
    consumer_.TakeProducerWakeup();
  }
}

TEST_F(Ring, RingsTheDoorbellLaterIfTheConsumerSleepsStill) {
  ASSERT_TRUE(consumer_.Arm());
  ASSERT_TRUE(Write("a"));
  EXPECT_TRUE(producer_.PublishQuietly());
  ASSERT_TRUE(Write("b"));
  EXPECT_TRUE(producer_.PublishQuietly());
  EXPECT_FALSE(producer_.IsConsumed());
  EXPECT_TRUE(producer_.TakeConsumerWakeup());
  EXPECT_FALSE(producer_.TakeConsumerWakeup());
}

TEST_F(Ring, AConsumerThatReadByItselfAndSleepsAgainIsWokenByWhatComesNext) {
  ASSERT_TRUE(consumer_.Arm());
  ASSERT_TRUE(Write("a"));
  ASSERT_TRUE(producer_.PublishQuietly());
  consumer_.Disarm();
  EXPECT_EQ(Read(), "a");
  consumer_.Release();
  consumer_.TakeProducerWakeup();
  EXPECT_TRUE(producer_.IsConsumed());
  ASSERT_TRUE(consumer_.Arm());
  ASSERT_TRUE(Write("b"));
  EXPECT_TRUE(producer_.Publish());
}

TEST_F(Ring, TellsTheCoreThatItsDoorbellWasRungOn) {
  EXPECT_EQ(consumer_.ProducersCore(), -1);
  producer_.TellCore(0);
  EXPECT_EQ(consumer_.ProducersCore(), 0);
  producer_.TellCore(63);
  EXPECT_EQ(consumer_.ProducersCore(), 63);
}

TEST_F(Ring, RingsNoDoorbellWhenNothingIsPublished) {
  ASSERT_TRUE(consumer_.Arm());
  EXPECT_FALSE(producer_.Publish());
  ASSERT_TRUE(Write("a"));
  EXPECT_TRUE(producer_.Publish());
}

TEST_F(Ring, DoesNotLetAConsumerSleepOnRecords) {
  ASSERT_TRUE(Write("a"));
  producer_.Publish();
  EXPECT_FALSE(consumer_.Arm());
  // And the attempt was taken back.
  ASSERT_TRUE(Write("b"));
  EXPECT_FALSE(producer_.Publish());
  EXPECT_EQ(Read(), "a");
  EXPECT_EQ(Read(), "b");
}

TEST_F(Ring, RingsNoDoorbellAfterDisarm) {
  ASSERT_TRUE(consumer_.Arm());
  consumer_.Disarm();
  ASSERT_TRUE(Write("a"));
  EXPECT_FALSE(producer_.Publish());
}

TEST_F(Ring, WakesAProducerThatWaitsForSpaceOnce) {
  while (Write("sixteen bytes ok")) {
  }
  producer_.Publish();
  ASSERT_TRUE(producer_.ArmForSpace(16));
  EXPECT_EQ(Read(), "sixteen bytes ok");
  consumer_.Release();
  EXPECT_TRUE(consumer_.TakeProducerWakeup());
  EXPECT_TRUE(Write("x"));
  EXPECT_EQ(Read(), "sixteen bytes ok");
  consumer_.Release();
  EXPECT_FALSE(consumer_.TakeProducerWakeup());
}

TEST_F(Ring, WakesNoProducerThatDoesNotWait) {
  ASSERT_TRUE(Write("a"));
  producer_.Publish();
  EXPECT_EQ(Read(), "a");
  consumer_.Release();
  EXPECT_FALSE(consumer_.TakeProducerWakeup());
}

TEST_F(Ring, DoesNotLetAProducerSleepOnSpace) {
  while (Write("sixteen bytes ok")) {
  }
  producer_.Publish();
  EXPECT_EQ(Read(), "sixteen bytes ok");
  consumer_.Release();
  EXPECT_FALSE(consumer_.TakeProducerWakeup());
  EXPECT_FALSE(producer_.ArmForSpace(16));
  EXPECT_TRUE(Write("x"));
  // And the attempt was taken back.
  producer_.Publish();
  EXPECT_EQ(Read(), "sixteen bytes ok");
  consumer_.Release();
  EXPECT_FALSE(consumer_.TakeProducerWakeup());
}

TEST_F(Ring, LetsAProducerWaitForMoreThanIsFree) {
  while (Write("sixteen bytes ok")) {
  }
  producer_.Publish();
  EXPECT_EQ(Read(), "sixteen bytes ok");
  consumer_.Release();
  EXPECT_FALSE(consumer_.TakeProducerWakeup());
  EXPECT_TRUE(producer_.ArmForSpace(64));
  EXPECT_EQ(Read(), "sixteen bytes ok");
  consumer_.Release();
  EXPECT_TRUE(consumer_.TakeProducerWakeup());
  EXPECT_TRUE(producer_.ArmForSpace(64));  // 64 bytes free, 80 needed.
  EXPECT_EQ(Read(), "sixteen bytes ok");
  consumer_.Release();
  EXPECT_TRUE(consumer_.TakeProducerWakeup());
  EXPECT_FALSE(producer_.ArmForSpace(64));
}

}  // namespace
}  // namespace grpc_shm
