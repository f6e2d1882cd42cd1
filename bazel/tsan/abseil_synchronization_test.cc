// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Each test shares a plain variable between two threads, in the order that one
// of Abseil's primitives gives them. With
// --config=tsan a test fails when ThreadSanitizer does not know of that order.

#include <thread>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace {

constexpr absl::Duration kLong = absl::Minutes(1);

TEST(AbseilUnderTsan, LockOrdersOwners) {
  absl::Mutex mutex;
  int value = 0;
  auto add = [&] {
    for (int i = 0; i < 1000; ++i) {
      absl::MutexLock lock(&mutex);
      ++value;
    }
  };
  std::thread other(add);
  add();
  other.join();
  EXPECT_EQ(value, 2000);
}

TEST(AbseilUnderTsan, TryLockOrdersOwners) {
  absl::Mutex mutex;
  int value = 0;
  auto add = [&] {
    for (int i = 0; i < 1000;) {
      if (!mutex.TryLock()) continue;
      ++value;
      ++i;
      mutex.Unlock();
    }
  };
  std::thread other(add);
  add();
  other.join();
  EXPECT_EQ(value, 2000);
}

TEST(AbseilUnderTsan, ReadersSeeWhatTheWriterWrote) {
  absl::Mutex mutex;
  int value = 0;
  std::thread writer([&] {
    absl::MutexLock lock(&mutex);
    value = 1;
  });
  int seen = 0;
  while (seen == 0) {
    absl::ReaderMutexLock lock(&mutex);
    seen = value;
  }
  writer.join();
  EXPECT_EQ(seen, 1);
}

TEST(AbseilUnderTsan, ConditionsOrderTheirWaiters) {
  absl::Mutex mutex;
  int turn = 0;
  auto turn_is_odd = [&turn] { return turn % 2 == 1; };
  auto turn_is_even = [&turn] { return turn % 2 == 0; };
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) {
      mutex.LockWhen(absl::Condition(&turn_is_odd));
      ++turn;
      mutex.Await(absl::Condition(&turn_is_odd));
      ++turn;
      mutex.Unlock();
    }
  });
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(
        mutex.LockWhenWithTimeout(absl::Condition(&turn_is_even), kLong));
    ++turn;
    EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&turn_is_even), kLong));
    ++turn;
    mutex.Unlock();
  }
  other.join();
  EXPECT_EQ(turn, 400);
}

TEST(AbseilUnderTsan, ReaderAwaitsAWriter) {
  absl::Mutex mutex;
  bool written = false;
  std::thread writer([&] {
    absl::MutexLock lock(&mutex);
    written = true;
  });
  {
    absl::ReaderMutexLock lock(&mutex);
    mutex.Await(absl::Condition(&written));
    EXPECT_TRUE(written);
  }
  writer.join();
}

TEST(AbseilUnderTsan, CondVarOrdersSignallerAndWaiter) {
  absl::Mutex mutex;
  absl::CondVar changed;
  int turn = 0;
  std::thread other([&] {
    absl::MutexLock lock(&mutex);
    for (int i = 0; i < 100; ++i) {
      while (turn % 2 == 0) changed.Wait(&mutex);
      ++turn;
      changed.Signal();
    }
  });
  {
    absl::MutexLock lock(&mutex);
    for (int i = 0; i < 100; ++i) {
      ++turn;
      changed.SignalAll();
      while (turn % 2 == 1) {
        EXPECT_FALSE(changed.WaitWithTimeout(&mutex, kLong));
      }
    }
  }
  other.join();
  EXPECT_EQ(turn, 200);
}

TEST(AbseilUnderTsan, NotificationOrdersNotifierAndWaiter) {
  absl::Notification done;
  int value = 0;
  std::thread other([&] {
    value = 1;
    done.Notify();
  });
  done.WaitForNotification();
  EXPECT_EQ(value, 1);
  other.join();
}

TEST(AbseilUnderTsan, NotificationOrdersNotifierAndTimedWaiter) {
  absl::Notification done;
  int value = 0;
  std::thread other([&] {
    value = 1;
    done.Notify();
  });
  EXPECT_TRUE(done.WaitForNotificationWithTimeout(kLong));
  EXPECT_EQ(value, 1);
  other.join();
}

TEST(AbseilUnderTsan, NotificationOrdersNotifierAndPoller) {
  absl::Notification done;
  int value = 0;
  std::thread other([&] {
    value = 1;
    done.Notify();
  });
  while (!done.HasBeenNotified()) {
  }
  EXPECT_EQ(value, 1);
  other.join();
}

TEST(AbseilUnderTsan, BlockingCounterOrdersAllDecrementsAndTheWaiter) {
  absl::BlockingCounter pending(2);
  int values[2] = {0, 0};
  auto write = [&](int i) {
    values[i] = 1;
    pending.DecrementCount();
  };
  std::thread first(write, 0);
  std::thread second(write, 1);
  pending.Wait();
  EXPECT_EQ(values[0] + values[1], 2);
  first.join();
  second.join();
}

}  // namespace
