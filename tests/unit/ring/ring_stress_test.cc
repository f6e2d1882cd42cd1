// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// One body for producer and consumer, three drivers: both in one thread, one
// thread each (for ThreadSanitizer), one process each. Whoever cannot go on
// sleeps on its doorbell, so a wake-up that gets lost hangs the test.

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "tests/unit/ring/test_ring.h"
#include "transport/base/unique_fd.h"
#include "transport/ring/ring_consumer.h"
#include "transport/ring/ring_layout.h"
#include "transport/ring/ring_producer.h"

namespace grpc_shm {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kRecords = 100000;
#else
constexpr uint64_t kRecords = 500000;
#endif

uint64_t Mix(uint64_t x) {  // SplitMix64's finalizer.
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// Payloads verify themselves: length and bytes follow from the number.
size_t LengthOf(uint64_t number, size_t max_payload) {
  const uint64_t random = Mix(number);
  switch (random % 64) {
    case 0:
      return max_payload;
    case 1:
    case 2:
      return (random >> 8) % (max_payload + 1);
    default:
      return (random >> 8) % 128;
  }
}

void Fill(std::byte* payload, size_t length, uint64_t number) {
  for (size_t i = 0; i < length; i += 8) {
    const uint64_t word = Mix(number + i * 0x9e3779b97f4a7c15);
    std::memcpy(payload + i, &word, std::min<size_t>(8, length - i));
  }
}

bool IsFilled(const std::byte* payload, size_t length, uint64_t number) {
  for (size_t i = 0; i < length; i += 8) {
    const uint64_t word = Mix(number + i * 0x9e3779b97f4a7c15);
    if (std::memcmp(payload + i, &word, std::min<size_t>(8, length - i)) != 0) {
      return false;
    }
  }
  return true;
}

// An eventfd that is watched edge-triggered and never read, as a link does it.
class Doorbell {
 public:
  Doorbell() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  void Ring() const {
    const uint64_t one = 1;
    ASSERT_EQ(write(event_.get(), &one, sizeof(one)), sizeof(one));
  }

  int fd() const { return event_.get(); }

 private:
  const UniqueFd event_;
};

// The sleeping side of a doorbell; made by the thread or process that sleeps.
class Sleeper {
 public:
  explicit Sleeper(const Doorbell& doorbell)
      : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event event = {};
    event.events = EPOLLIN | EPOLLET;
    EXPECT_EQ(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, doorbell.fd(), &event), 0);
  }

  void Sleep() {
    epoll_event event;
    while (epoll_wait(epoll_.get(), &event, 1, /*timeout=*/-1) < 0) {
      ASSERT_EQ(errno, EINTR);
    }
  }

 private:
  const UniqueFd epoll_;
};

enum class Outcome { kBlocked, kDone, kFailed };

// Writes the records 0 to kRecords - 1, publishing now and then.
class Producing {
 public:
  Producing(const TestRing& ring, const Doorbell& consumer_doorbell)
      : producer_(ring.control(), ring.data(), ring.capacity()),
        consumer_doorbell_(consumer_doorbell) {}

  // As many as fit. kBlocked: armed; call again when the own doorbell rang.
  Outcome Run() {
    for (; number_ < kRecords; ++number_) {
      const size_t length = LengthOf(number_, producer_.max_payload());
      std::byte* payload;
      while ((payload = producer_.TryReserve(length)) == nullptr) {
        if (producer_.broken()) return Outcome::kFailed;
        Publish();
        if (producer_.ArmForSpace(length)) return Outcome::kBlocked;
      }
      Fill(payload, length, number_);
      producer_.Commit({static_cast<uint32_t>(length),
                        static_cast<uint8_t>(number_), 0, 0, number_});
      if (Mix(number_) % 8 != 7) Publish();
    }
    Publish();
    return Outcome::kDone;
  }

 private:
  void Publish() {
    if (producer_.Publish()) consumer_doorbell_.Ring();
  }

  RingProducer producer_;
  const Doorbell& consumer_doorbell_;
  uint64_t number_ = 0;
};

// Reads and verifies the same, releasing now and then.
class Consuming {
 public:
  Consuming(const TestRing& ring, const Doorbell& producer_doorbell)
      : consumer_(ring.control(), ring.data(), ring.capacity()),
        max_payload_(MaxRecordPayload(ring.capacity())),
        producer_doorbell_(producer_doorbell) {}

  // As many as there are. kBlocked: armed; call again when the own doorbell
  // rang.
  Outcome Run() {
    while (number_ < kRecords) {
      RecordHeader header;
      const std::byte* payload;
      switch (consumer_.Peek(&header, &payload)) {
        case RingConsumer::Next::kBroken:
          return Outcome::kFailed;
        case RingConsumer::Next::kEmpty:
          Release();
          if (consumer_.Arm()) return Outcome::kBlocked;
          continue;
        case RingConsumer::Next::kRecord:
          break;
      }
      if (header.call_id != number_ ||
          header.type != static_cast<uint8_t>(number_) ||
          header.length != LengthOf(number_, max_payload_) ||
          !IsFilled(payload, header.length, number_)) {
        return Outcome::kFailed;
      }
      consumer_.Pop();
      if (Mix(number_) % 4 == 0) Release();
      ++number_;
    }
    Release();
    return Outcome::kDone;
  }

 private:
  void Release() {
    consumer_.Release();
    if (consumer_.TakeProducerWakeup()) producer_doorbell_.Ring();
  }

  RingConsumer consumer_;
  const size_t max_payload_;
  const Doorbell& producer_doorbell_;
  uint64_t number_ = 0;
};

class RingStress : public ::testing::TestWithParam<size_t> {
 protected:
  Outcome Produce() {
    Producing producing(ring_, consumer_doorbell_);
    return RunWithSleep(producing, producer_doorbell_);
  }

  Outcome Consume() {
    Consuming consuming(ring_, producer_doorbell_);
    return RunWithSleep(consuming, consumer_doorbell_);
  }

  TestRing ring_{GetParam()};
  Doorbell producer_doorbell_;
  Doorbell consumer_doorbell_;

 private:
  template <class Body>
  Outcome RunWithSleep(Body& body, const Doorbell& own) {
    Sleeper sleeper(own);
    Outcome outcome;
    while ((outcome = body.Run()) == Outcome::kBlocked) sleeper.Sleep();
    if (outcome == Outcome::kFailed) {
      // Impossible indices, so that the other side fails too and ends.
      ring_.control()->head.store(1, std::memory_order_relaxed);
      ring_.control()->tail.store(1, std::memory_order_relaxed);
      producer_doorbell_.Ring();
      consumer_doorbell_.Ring();
    }
    return outcome;
  }
};

TEST_P(RingStress, DeliversEverythingWithinOneThread) {
  Producing producing(ring_, consumer_doorbell_);
  Consuming consuming(ring_, producer_doorbell_);
  Outcome produced = Outcome::kBlocked;
  Outcome consumed = Outcome::kBlocked;
  while (consumed == Outcome::kBlocked) {
    if (produced == Outcome::kBlocked) produced = producing.Run();
    ASSERT_NE(produced, Outcome::kFailed);
    consumed = consuming.Run();
  }
  EXPECT_EQ(produced, Outcome::kDone);
  EXPECT_EQ(consumed, Outcome::kDone);
}

TEST_P(RingStress, DeliversEverythingBetweenTwoThreads) {
  Outcome produced = Outcome::kFailed;
  std::thread producer([&] { produced = Produce(); });
  const Outcome consumed = Consume();
  producer.join();
  EXPECT_EQ(produced, Outcome::kDone);
  EXPECT_EQ(consumed, Outcome::kDone);
}

TEST_P(RingStress, DeliversEverythingBetweenTwoProcesses) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(Produce() == Outcome::kDone ? 0 : 1);
  EXPECT_EQ(Consume(), Outcome::kDone);
  int ended = 0;
  ASSERT_EQ(waitpid(child, &ended, 0), child);
  EXPECT_TRUE(WIFEXITED(ended) && WEXITSTATUS(ended) == 0) << ended;
}

INSTANTIATE_TEST_SUITE_P(OfEachCapacity, RingStress,
                         ::testing::Values(4096, 64 << 10),
                         [](const auto& info) {
                           return std::to_string(info.param) + "Bytes";
                         });

}  // namespace
}  // namespace grpc_shm
