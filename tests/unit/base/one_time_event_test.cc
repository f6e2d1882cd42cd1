// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/base/one_time_event.h"

#include <memory>
#include <thread>

#include "gtest/gtest.h"

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

}  // namespace
}  // namespace grpc_shm
