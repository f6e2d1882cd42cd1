// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/base/one_time_event.h"

#include <signal.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "gtest/gtest.h"
#include "transport/base/futex.h"

namespace grpc_shm {
namespace {

TEST(OneTimeEvent, HasHappenedOnceItWasTold) {
  OneTimeEvent event;
  EXPECT_FALSE(event.HasHappened());
  event.Happen();
  EXPECT_TRUE(event.HasHappened());
  event.Await();  // returns
}

TEST(OneTimeEvent, WhoAwaitsItSeesWhatWasDoneBeforeAndMayDestroyIt) {
  for (int round = 0; round < 2000; ++round) {
    auto event = std::make_unique<OneTimeEvent>();
    int done = 0;
    std::thread teller([&done, event = event.get(), round] {
      done = round;
      event->Happen();
    });
    event->Await();
    EXPECT_EQ(done, round);
    event.reset();
    teller.join();
  }
}

TEST(OneTimeEvent, WhoLooksSeesItToo) {
  for (int round = 0; round < 2000; ++round) {
    OneTimeEvent event;
    int done = 0;
    std::thread teller([&] {
      done = round;
      event.Happen();
    });
    while (!event.HasHappened()) std::this_thread::yield();
    EXPECT_EQ(done, round);
    teller.join();
  }
}

// Beside a word where others may wake it, too.

class Beside : public testing::Test {
 protected:
  void SetUp() override {
    if (!OneTimeEvent::CanAwaitBeside())
      GTEST_SKIP() << "this kernel can't wait for two things at a time";
  }

  OneTimeEvent event_;
  std::atomic<uint32_t> word_{7};
};

TEST_F(Beside, ReturnsAtOnceIfTheWordIsAnother) {
  EXPECT_TRUE(event_.AwaitBeside(&word_, 8));
  EXPECT_FALSE(event_.HasHappened());
}

TEST_F(Beside, ReturnsAtOnceIfItHasHappened) {
  event_.Happen();
  EXPECT_TRUE(event_.AwaitBeside(&word_, 7));
}

TEST_F(Beside, ReturnsAtOnceIfTheWordIsGone) {
  EXPECT_TRUE(event_.AwaitBeside(nullptr, 7));
}

TEST_F(Beside, IsWokenAtTheWord) {
  for (int round = 0; round < 2000; ++round) {
    word_ = 7;
    std::thread waker([this] {
      word_ = 8;
      Futex::Wake(word_, 1);
    });
    while (word_ == 7) EXPECT_TRUE(event_.AwaitBeside(&word_, 7));
    waker.join();
  }
  EXPECT_FALSE(event_.HasHappened());
}

TEST_F(Beside, IsWokenByTheEvent) {
  for (int round = 0; round < 2000; ++round) {
    auto event = std::make_unique<OneTimeEvent>();
    std::thread teller([event = event.get()] { event->Happen(); });
    while (!event->HasHappened()) EXPECT_TRUE(event->AwaitBeside(&word_, 7));
    event.reset();
    teller.join();
  }
}

TEST_F(Beside, NobodyHasToBeWokenAfterwards) {
  event_.AwaitBeside(&word_, 8);
  EXPECT_EQ(event_.HappenQuietly(), nullptr);
}

TEST_F(Beside, TellsOfASignal) {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
  std::atomic<bool> interrupted{false};
  std::thread sleeper([&] { interrupted = !event_.AwaitBeside(&word_, 7); });
  // One that comes too early interrupts nothing.
  while (!interrupted) pthread_kill(sleeper.native_handle(), SIGUSR1);
  sleeper.join();
  EXPECT_FALSE(event_.HasHappened());
}

}  // namespace
}  // namespace grpc_shm
