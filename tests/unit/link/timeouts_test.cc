// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/timeouts.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "transport/base/monotonic_clock.h"

namespace grpc_shm {
namespace {

// Far more than any deadline here is late, unless it never comes.
constexpr absl::Duration kPatience = absl::Seconds(30);

int64_t After(absl::Duration delay) {
  return MonotonicNanos() + absl::ToInt64Nanoseconds(delay);
}

// Remembers when it expired.
class Recorder : public Expirable {
 public:
  void OnExpired() override {
    when_ = MonotonicNanos();
    expired_.Notify();  // aborts if it was told before
  }

  bool HasExpired() const { return expired_.HasBeenNotified(); }
  bool WaitUntilExpired() const {
    return expired_.WaitForNotificationWithTimeout(kPatience);
  }
  int64_t when() const { return when_; }

 private:
  int64_t when_ = 0;  // published by expired_
  absl::Notification expired_;
};

TEST(Timeouts, ADeadlineIsReachedOnceAndNotBeforeItsTime) {
  const auto recorder = std::make_shared<Recorder>();
  const int64_t when = After(absl::Milliseconds(20));
  Timeouts::Get().Add(when, recorder);
  ASSERT_TRUE(recorder->WaitUntilExpired());
  EXPECT_GE(recorder->when(), when);
}

TEST(Timeouts, NoDeadlineIsReachedWithTheOneBefore) {
  const auto first = std::make_shared<Recorder>();
  const auto second = std::make_shared<Recorder>();
  const int64_t when = After(absl::Milliseconds(5));
  const int64_t then = when + absl::ToInt64Nanoseconds(absl::Milliseconds(2));
  Timeouts::Get().Add(then, second);
  Timeouts::Get().Add(when, first);
  ASSERT_TRUE(first->WaitUntilExpired());
  ASSERT_TRUE(second->WaitUntilExpired());
  EXPECT_GE(first->when(), when);
  EXPECT_GE(second->when(), then);
}

TEST(Timeouts, ADeadlineOfThePastIsReachedAtOnce) {
  const auto past = std::make_shared<Recorder>();
  const auto zero = std::make_shared<Recorder>();
  Timeouts::Get().Add(After(-absl::Seconds(1)), past);
  Timeouts::Get().Add(0, zero);
  EXPECT_TRUE(past->WaitUntilExpired());
  EXPECT_TRUE(zero->WaitUntilExpired());
}

TEST(Timeouts, ADeadlineThatIsNeverDoesNotDisturbTheOthers) {
  const auto never = std::make_shared<Recorder>();
  const auto other = std::make_shared<Recorder>();
  const Timeouts::Id id =
      Timeouts::Get().Add(std::numeric_limits<int64_t>::max(), never);
  Timeouts::Get().Add(After(absl::Milliseconds(1)), other);
  EXPECT_TRUE(other->WaitUntilExpired());
  EXPECT_FALSE(never->HasExpired());
  Timeouts::Get().Remove(id);
}

TEST(Timeouts, ARemovedDeadlineIsNotReached) {
  const auto removed = std::make_shared<Recorder>();
  const auto later = std::make_shared<Recorder>();
  const Timeouts::Id id =
      Timeouts::Get().Add(After(absl::Milliseconds(20)), removed);
  Timeouts::Get().Add(After(absl::Milliseconds(40)), later);
  Timeouts::Get().Remove(id);
  ASSERT_TRUE(later->WaitUntilExpired());
  EXPECT_FALSE(removed->HasExpired());
}

TEST(Timeouts, RemovingWhatHasBeenReachedDoesNothing) {
  const auto first = std::make_shared<Recorder>();
  const auto second = std::make_shared<Recorder>();
  const Timeouts::Id id = Timeouts::Get().Add(MonotonicNanos(), first);
  ASSERT_TRUE(first->WaitUntilExpired());
  Timeouts::Get().Remove(id);
  Timeouts::Get().Add(MonotonicNanos(), second);
  Timeouts::Get().Remove(id);
  EXPECT_TRUE(second->WaitUntilExpired());
}

TEST(Timeouts, AnEarlierDeadlineThatIsAddedLaterIsReachedFirst) {
  const auto early = std::make_shared<Recorder>();
  const auto late = std::make_shared<Recorder>();
  const Timeouts::Id id = Timeouts::Get().Add(After(absl::Hours(1)), late);
  Timeouts::Get().Add(After(absl::Milliseconds(5)), early);
  EXPECT_TRUE(early->WaitUntilExpired());
  EXPECT_FALSE(late->HasExpired());
  Timeouts::Get().Remove(id);
}

TEST(Timeouts, ALaterDeadlineIsReachedAfterAnEarlierOneWasRemoved) {
  const auto early = std::make_shared<Recorder>();
  const auto late = std::make_shared<Recorder>();
  const int64_t when = After(absl::Milliseconds(20));
  const Timeouts::Id id =
      Timeouts::Get().Add(After(absl::Milliseconds(10)), early);
  Timeouts::Get().Add(when, late);
  Timeouts::Get().Remove(id);
  ASSERT_TRUE(late->WaitUntilExpired());
  EXPECT_GE(late->when(), when);
}

TEST(Timeouts, WhoIsGoneIsSkippedAndNotKept) {
  auto gone = std::make_shared<Recorder>();
  const std::weak_ptr<Recorder> weak = gone;
  const auto here = std::make_shared<Recorder>();
  const int64_t when = After(absl::Milliseconds(10));
  Timeouts::Get().Add(when, gone);
  Timeouts::Get().Add(when, here);
  gone.reset();
  EXPECT_TRUE(weak.expired());
  EXPECT_TRUE(here->WaitUntilExpired());
}

// Waits, when it expires, until all of its kind have: in vain if they take
// turns.
class Meeting : public Expirable {
 public:
  explicit Meeting(int expected) : missing_(expected) {}

  void OnExpired() override {
    absl::MutexLock lock(&mu_);
    --missing_;
    WaitForAll();
  }
  bool Wait() {
    absl::MutexLock lock(&mu_);
    return WaitForAll();
  }

 private:
  bool WaitForAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto complete = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return missing_ == 0;
    };
    return mu_.AwaitWithTimeout(absl::Condition(&complete), kPatience);
  }

  absl::Mutex mu_;
  int missing_ ABSL_GUARDED_BY(mu_);
};

TEST(Timeouts, OneThatTakesLongHoldsUpNoOther) {
  const auto meeting = std::make_shared<Meeting>(3);
  const int64_t when = After(absl::Milliseconds(5));
  for (int i = 0; i < 3; ++i) Timeouts::Get().Add(when, meeting);
  EXPECT_TRUE(meeting->Wait());
}

TEST(Timeouts, ManyAtTheSameTimeAreAllReached) {
  std::vector<std::shared_ptr<Recorder>> recorders;
  const int64_t when = After(absl::Milliseconds(5));
  for (int i = 0; i < 1000; ++i) {
    recorders.push_back(std::make_shared<Recorder>());
    Timeouts::Get().Add(when, recorders.back());
  }
  for (const auto& recorder : recorders)
    ASSERT_TRUE(recorder->WaitUntilExpired());
}

TEST(Timeouts, LaterDeadlinesThatComeAndGoArmNoTimer) {
  const auto recorder = std::make_shared<Recorder>();
  Timeouts& timeouts = Timeouts::Get();
  // The timer is armed for the first one at the latest.
  const int64_t when = After(absl::Hours(1));
  const Timeouts::Id first = timeouts.Add(when, recorder);
  const int64_t armed = timeouts.times_armed();
  for (int i = 0; i < 1000; ++i)
    timeouts.Remove(timeouts.Add(when + i, recorder));
  timeouts.Remove(first);
  // Nor now that the timer is of no use.
  for (int i = 0; i < 1000; ++i)
    timeouts.Remove(timeouts.Add(when + i, recorder));
  // One that an earlier test left armed may have fired, and be armed anew.
  EXPECT_LE(timeouts.times_armed(), armed + 1);
}

}  // namespace
}  // namespace grpc_shm
