// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/spinner.h"

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace grpc_shm {
namespace {

constexpr auto kNotYet = [] { return false; };

// Cores on which time passes by yielding alone: a microsecond each time.
class FakeCores : public Cores {
 public:
  explicit FakeCores(int count) : Cores(count) {}

  int64_t Now() const override { return absl::ToInt64Nanoseconds(now_); }
  void Yield() override {
    ++yields_;
    now_ += yield_;
    // It may replace itself.
    if (const std::function<void()> on_yield = on_yield_) on_yield();
  }

  int yields() const { return yields_; }
  int moves() const { return moves_; }
  absl::Duration now() const { return now_; }
  void Pass(absl::Duration time) { now_ += time; }
  void set_yield(absl::Duration yield) { yield_ = yield; }
  void set_on_yield(std::function<void()> on_yield) {
    on_yield_ = std::move(on_yield);
  }

 private:
  bool Move() override {
    ++moves_;
    return true;
  }

  absl::Duration now_ = absl::Hours(1);
  absl::Duration yield_ = absl::Microseconds(1);
  std::function<void()> on_yield_;
  int yields_ = 0;
  int moves_ = 0;
};

// How many waits `spinner` lets go by before it finds one worth it.
int Skipped(Spinner* spinner) {
  int skipped = 0;
  while (!spinner->WorthIt()) ++skipped;
  return skipped;
}

absl::Duration TimeOfWait(Spinner* spinner, FakeCores* cores,
                          absl::Duration longer = absl::ZeroDuration()) {
  const absl::Duration begin = cores->now();
  EXPECT_FALSE(spinner->Wait(kNotYet, longer));
  return cores->now() - begin;
}

TEST(Spinner, NeverMeansNever) {
  FakeCores cores(4);
  Spinner spinner(SpinPolicy::kNever, &cores);
  EXPECT_FALSE(spinner.MayWait());
  EXPECT_FALSE(spinner.WorthIt());
  EXPECT_FALSE(spinner.Wait(kNotYet));
  EXPECT_TRUE(spinner.Wait([] { return true; }));
  EXPECT_EQ(cores.yields(), 0);
}

TEST(Spinner, AdaptiveLetsTwiceAsManyWaitsGoByAfterEachInVain) {
  FakeCores cores(2);
  Spinner spinner(SpinPolicy::kAdaptive, &cores);
  EXPECT_EQ(Skipped(&spinner), 0);
  for (const int expected : {1, 2, 4, 8, 16, 32, 64, 64}) {
    EXPECT_EQ(TimeOfWait(&spinner, &cores), Spinner::kBound);
    EXPECT_EQ(Skipped(&spinner), expected);
  }
}

TEST(Spinner, AdaptiveForgetsWaitsInVainWhenOneSucceeds) {
  FakeCores cores(2);
  Spinner spinner(SpinPolicy::kAdaptive, &cores);
  for (int i = 0; i < 5; ++i) spinner.Wait(kNotYet);
  int checks = 0;
  EXPECT_TRUE(spinner.Wait([&] { return ++checks > 10; }));
  // It pays for two in vain.
  for (const int expected : {0, 0, 1, 2}) {
    spinner.Wait(kNotYet);
    EXPECT_EQ(Skipped(&spinner), expected);
  }
}

TEST(Spinner, ManySuccessesPayForEightWaitsInVain) {
  FakeCores cores(2);
  Spinner spinner(SpinPolicy::kAdaptive, &cores);
  for (int i = 0; i < 100; ++i) {
    int checks = 0;
    EXPECT_TRUE(spinner.Wait([&] { return ++checks > 10; }));
  }
  for (int i = 0; i < 8; ++i) {
    spinner.Wait(kNotYet);
    EXPECT_EQ(Skipped(&spinner), 0);
  }
  spinner.Wait(kNotYet);
  EXPECT_EQ(Skipped(&spinner), 1);
}

TEST(Spinner, BusyIsAlwaysWorthIt) {
  FakeCores cores(2);
  Spinner spinner(SpinPolicy::kBusy, &cores);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(spinner.WorthIt());
    EXPECT_EQ(TimeOfWait(&spinner, &cores), Spinner::kBusyBound);
  }
}

TEST(Spinner, ACallerMayWaitLongerThanThatIfItIsAdaptive) {
  FakeCores cores(2);
  Spinner adaptive(SpinPolicy::kAdaptive, &cores);
  Spinner busy(SpinPolicy::kBusy, &cores);
  EXPECT_EQ(TimeOfWait(&adaptive, &cores, absl::Microseconds(20)),
            Spinner::kBound + absl::Microseconds(20));
  EXPECT_EQ(TimeOfWait(&busy, &cores, absl::Microseconds(20)),
            Spinner::kBusyBound);
}

TEST(Spinner, NobodyWaitsAwakeWithOneCore) {
  FakeCores cores(1);
  for (const SpinPolicy policy :
       {SpinPolicy::kNever, SpinPolicy::kAdaptive, SpinPolicy::kBusy}) {
    Spinner spinner(policy, &cores);
    EXPECT_FALSE(spinner.WorthIt());
    EXPECT_FALSE(spinner.Wait(kNotYet));
  }
  EXPECT_EQ(cores.yields(), 0);
}

TEST(Spinner, HalfOfTheCoresWaitAwakeAtOnce) {
  FakeCores cores(4);
  Spinner first(SpinPolicy::kAdaptive, &cores);
  Spinner second(SpinPolicy::kAdaptive, &cores);
  Spinner third(SpinPolicy::kAdaptive, &cores);
  int yields_of_third = -1;
  cores.set_on_yield([&] {    // the first waits
    cores.set_on_yield([&] {  // and so does the second
      cores.set_on_yield(nullptr);
      const int before = cores.yields();
      EXPECT_FALSE(third.Wait(kNotYet));
      yields_of_third = cores.yields() - before;
    });
    second.Wait(kNotYet);
  });
  first.Wait(kNotYet);
  EXPECT_EQ(yields_of_third, 0);
  EXPECT_EQ(TimeOfWait(&third, &cores), Spinner::kBound);  // given back
}

TEST(Spinner, ThreadsThatWaitForOnePeerShareACoreAndWaitLonger) {
  FakeCores cores(2);
  Spinner spinner(SpinPolicy::kAdaptive, &cores);
  Spinner other(SpinPolicy::kAdaptive, &cores);
  absl::Duration of_second;
  cores.set_on_yield([&] {  // the first waits
    cores.set_on_yield(nullptr);
    of_second = TimeOfWait(&spinner, &cores);
    EXPECT_EQ(TimeOfWait(&other, &cores), absl::ZeroDuration());
  });
  spinner.Wait(kNotYet);
  EXPECT_EQ(of_second, 2 * Spinner::kBound);
  EXPECT_EQ(TimeOfWait(&other, &cores), Spinner::kBound);  // given back
}

TEST(Spinner, TheBusyCountAsNoneOfThem) {
  FakeCores cores(2);
  Spinner busy(SpinPolicy::kBusy, &cores);
  Spinner adaptive(SpinPolicy::kAdaptive, &cores);
  int yields_of_adaptive = 0;
  cores.set_on_yield([&] {
    cores.set_on_yield(nullptr);
    const int before = cores.yields();
    adaptive.Wait(kNotYet);
    yields_of_adaptive = cores.yields() - before;
  });
  busy.Wait(kNotYet);
  EXPECT_GT(yields_of_adaptive, 0);
}

TEST(Spinner, NobodyWaitsAwakeForSomeTimeAfterAYieldThatTookLong) {
  FakeCores cores(2);
  Spinner adaptive(SpinPolicy::kAdaptive, &cores);
  Spinner busy(SpinPolicy::kBusy, &cores);
  cores.set_yield(absl::Milliseconds(3));
  EXPECT_EQ(TimeOfWait(&busy, &cores), absl::Milliseconds(3));
  EXPECT_FALSE(busy.WorthIt());
  EXPECT_FALSE(adaptive.WorthIt());
  cores.Pass(Cores::kMinCrowded - absl::Nanoseconds(1));
  EXPECT_FALSE(busy.WorthIt());
  cores.Pass(absl::Nanoseconds(1));
  EXPECT_TRUE(busy.WorthIt());
  EXPECT_TRUE(adaptive.WorthIt());
}

TEST(Spinner, WhatHappenedDuringAYieldThatTookLongIsFoundAllTheSame) {
  FakeCores cores(2);
  Spinner spinner(SpinPolicy::kAdaptive, &cores);
  cores.set_yield(absl::Milliseconds(3));
  EXPECT_TRUE(spinner.Wait([&] { return cores.yields() > 0; }));
  EXPECT_TRUE(cores.crowded());
}

// May be moved; other tests' threads may not.
void OnThreadOfOurs(const std::function<void()>& test) {
  std::thread([&] {
    Cores::LetThisThreadMove();
    test();
  }).join();
}

TEST(Spinner, AThreadOfOursLeavesACoreThatIsInUse) {
  FakeCores cores(2);
  Spinner spinner(SpinPolicy::kAdaptive, &cores);
  cores.set_yield(Cores::kSharedYield + absl::Nanoseconds(1));
  spinner.Wait(kNotYet);
  EXPECT_EQ(cores.moves(), 0);  // a thread of somebody else's
  OnThreadOfOurs([&] {
    spinner.Wait(kNotYet);
    EXPECT_EQ(cores.moves(), 1);
    spinner.Wait(kNotYet);
    EXPECT_EQ(cores.moves(), 1);
    cores.Pass(Cores::kMinStay);
    spinner.Wait(kNotYet);
    EXPECT_EQ(cores.moves(), 2);
    cores.Pass(Cores::kMinStay);  // half of how long it stays now
    spinner.Wait(kNotYet);
    EXPECT_EQ(cores.moves(), 2);
  });
}

TEST(Spinner, WhoFindsItsCoreInUseNowAndThenStays) {
  FakeCores cores(2);
  Spinner spinner(SpinPolicy::kAdaptive, &cores);
  OnThreadOfOurs([&] {
    for (int i = 0; i < 100; ++i) {
      cores.set_yield(absl::Microseconds(70));  // longer than the wait
      spinner.Wait(kNotYet);
      cores.Pass(absl::Milliseconds(1));
    }
  });
  EXPECT_EQ(cores.moves(), 0);
}

TEST(Spinner, WhoHasMovedWaitsAnew) {
  FakeCores cores(2);
  Spinner spinner(SpinPolicy::kAdaptive, &cores);
  OnThreadOfOurs([&] {
    cores.set_yield(absl::Microseconds(5));
    cores.set_on_yield([&] {
      if (cores.yields() == Cores::kSharedYieldsOfMove)
        cores.set_yield(absl::Microseconds(1));
    });
    EXPECT_EQ(
        TimeOfWait(&spinner, &cores),
        Cores::kSharedYieldsOfMove * absl::Microseconds(5) + Spinner::kBound);
    EXPECT_FALSE(cores.crowded());
  });
}

TEST(Cores, MoveLeavesTheThreadsAffinityAsItIs) {
  if (Cores::OfThisProcess().count() < 2) GTEST_SKIP() << "needs two cores";
  OnThreadOfOurs([] {
    cpu_set_t before;
    ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
    Cores cores(2);
    int yields = 1;
    while (!cores.MoveAway()) ++yields;
    EXPECT_EQ(yields, Cores::kSharedYieldsOfMove);
    cpu_set_t after;
    ASSERT_EQ(sched_getaffinity(0, sizeof(after), &after), 0);
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
  });
}

TEST(Cores, AThreadThatMayUseOneCoreAloneDoesNotMove) {
  OnThreadOfOurs([] {
    cpu_set_t allowed;
    ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &allowed)) ++cpu;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    Cores cores(2);
    for (int i = 0; i < 2 * Cores::kSharedYieldsOfMove; ++i)
      EXPECT_FALSE(cores.MoveAway());
  });
}

cpu_set_t OwnAffinity() {
  cpu_set_t affinity;
  EXPECT_EQ(sched_getaffinity(0, sizeof(affinity), &affinity), 0);
  return affinity;
}

TEST(Cores, AThreadOfOursStaysAwayFromItsPeersCoreForAWhile) {
  if (Cores::OfThisProcess().count() < 2) GTEST_SKIP() << "needs two cores";
  OnThreadOfOurs([] {
    const cpu_set_t before = OwnAffinity();
    FakeCores cores(2);
    cpu_set_t away = before;
    int core = 0;
    // Again, if the kernel has moved the thread in between.
    while (CPU_EQUAL(&away, &before)) {
      core = sched_getcpu();
      cores.StayAwayFrom(core);
      away = OwnAffinity();
    }
    EXPECT_FALSE(CPU_ISSET(core, &away));
    EXPECT_EQ(CPU_COUNT(&away), CPU_COUNT(&before) - 1);
    cores.Pass(Cores::kMaxAway);
    cores.StayAwayFrom(-1);
    const cpu_set_t after = OwnAffinity();
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
  });
}

TEST(Cores, NobodyStaysAwayWhileTheyAreCrowded) {
  if (Cores::OfThisProcess().count() < 2) GTEST_SKIP() << "needs two cores";
  OnThreadOfOurs([] {
    const cpu_set_t before = OwnAffinity();
    FakeCores cores(2);
    cores.StayAwayFrom(sched_getcpu());
    cores.OnLongYield();
    cores.StayAwayFrom(-1);
    const cpu_set_t after = OwnAffinity();
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
    for (int i = 0; i < 100; ++i) cores.StayAwayFrom(sched_getcpu());
    const cpu_set_t still = OwnAffinity();
    EXPECT_TRUE(CPU_EQUAL(&before, &still));
  });
}

TEST(Cores, StayCrowdedTwiceAsLongWhenItIsNoBetterAfterwards) {
  FakeCores cores(2);
  absl::Duration expected = Cores::kMinCrowded;
  for (int i = 0; i < 10; ++i) {
    cores.OnLongYield();
    cores.OnLongYield();  // another thread's: the same event
    cores.Pass(expected - absl::Nanoseconds(1));
    EXPECT_TRUE(cores.crowded());
    cores.Pass(absl::Nanoseconds(1));
    EXPECT_FALSE(cores.crowded());
    expected = std::min(2 * expected, Cores::kMaxCrowded);
  }
  EXPECT_EQ(expected, Cores::kMaxCrowded);
  // For once it is better.
  cores.Pass(Cores::kMaxCrowded);
  cores.OnLongYield();
  cores.Pass(Cores::kMinCrowded);
  EXPECT_FALSE(cores.crowded());
}

TEST(Cores, OfThisProcessAreReal) {
  Cores& cores = Cores::OfThisProcess();
  EXPECT_GE(cores.count(), 1);
  const int64_t before = cores.Now();
  cores.Yield();
  EXPECT_GE(cores.Now(), before);
}

}  // namespace
}  // namespace grpc_shm
