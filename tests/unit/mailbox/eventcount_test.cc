// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// (tests/model checks the protocol for all orders of what two threads do.)

#include "transport/mailbox/eventcount.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "transport/base/futex.h"
#include "transport/mailbox/wake_everybody.h"

namespace grpc_shm {
namespace {

constexpr int kEverybody = 0x7fffffff;

// Records what is asked of the kernel; so many threads sleep.
struct FakeFutex {
  static bool Wait(std::atomic<uint32_t>& word, uint32_t key, int64_t) {
    slept = word.load() == key;
    return true;
  }
  static int Wake(std::atomic<uint32_t>&, int most) {
    wakes.push_back(most);
    const int woken = most < sleeping ? most : sleeping;
    sleeping -= woken;
    return woken;
  }

  static inline std::vector<int> wakes;
  static inline int sleeping = 0;
  static inline bool slept = false;
};

class EventcountTest : public ::testing::Test {
 protected:
  EventcountTest() {
    FakeFutex::wakes.clear();
    FakeFutex::sleeping = 0;
    FakeFutex::slept = false;
  }

  static std::vector<int>& wakes() { return FakeFutex::wakes; }

  BasicEventControl<StdAtomics> control_;
  BasicEventcount<StdAtomics, FakeFutex> event_{&control_};
};

TEST_F(EventcountTest, NobodyIsWokenWhoHasNotArmed) {
  event_.NotifyOne();
  event_.NotifySleepers();
  EXPECT_TRUE(wakes().empty());
}

TEST_F(EventcountTest, OneOrAllAreWoken) {
  event_.Arm();
  FakeFutex::sleeping = 3;
  event_.NotifyOne();
  EXPECT_EQ(FakeFutex::sleeping, 2);
  event_.NotifySleepers();
  EXPECT_EQ(FakeFutex::sleeping, 0);
  EXPECT_EQ(wakes(), (std::vector<int>{1, kEverybody}));
}

// The first one who finds nobody asleep spares the others the system call.
TEST_F(EventcountTest, ItIsQuietOnceNobodySleeps) {
  event_.Arm();
  event_.NotifyOne();
  EXPECT_EQ(wakes().size(), 1u);
  event_.NotifyOne();
  event_.NotifySleepers();
  EXPECT_EQ(wakes().size(), 1u);
  event_.Arm();
  event_.NotifyOne();
  EXPECT_EQ(wakes().size(), 2u);
}

TEST_F(EventcountTest, ItIsNotQuietWhileSomebodySleeps) {
  event_.Arm();
  event_.Arm();
  FakeFutex::sleeping = 2;
  event_.NotifyOne();
  event_.NotifyOne();
  EXPECT_EQ(FakeFutex::sleeping, 0);
}

TEST_F(EventcountTest, NobodySleepsWhoWasNotifiedSinceArming) {
  const uint32_t key = event_.Arm();
  event_.Sleep(key, 0);
  EXPECT_TRUE(FakeFutex::slept);
  event_.NotifyOne();
  event_.Sleep(key, 0);
  EXPECT_FALSE(FakeFutex::slept);
}

TEST_F(EventcountTest, AllAreWokenWhateverItSeems) {
  event_.NotifyAll();
  EXPECT_EQ(wakes(), (std::vector<int>{kEverybody}));
  const uint32_t key = event_.Arm();
  event_.NotifyAll();
  event_.Sleep(key, 0);
  EXPECT_FALSE(FakeFutex::slept);
}

// With the kernel's futex: threads that hand a word round, each asleep until it
// is its turn. A wake-up that is lost stops them for ever.
TEST(EventcountOfFutexTest, NoWakeUpIsLost) {
  constexpr int kThreads = 4;
  constexpr int kTurns = 2000;
  const auto control = std::make_unique<EventControl>();  // must be aligned
  std::atomic<int> turn{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&control, &turn, thread] {
      Eventcount event(control.get());
      for (int i = 0; i < kTurns; ++i) {
        while (turn.load() % kThreads != thread) {
          const uint32_t key = event.Arm();
          if (turn.load() % kThreads == thread) break;
          event.Sleep(key, Futex::kNever);
        }
        turn.fetch_add(1);
        event.NotifySleepers();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(turn.load(), kThreads * kTurns);
}

TEST(EventcountOfFutexTest, TheDeadlineEndsTheSleep) {
  const auto control = std::make_unique<EventControl>();
  Eventcount event(control.get());
  EXPECT_FALSE(event.Sleep(event.Arm(), int64_t{1}));
}

}  // namespace
}  // namespace grpc_shm
