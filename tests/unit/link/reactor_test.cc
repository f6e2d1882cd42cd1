// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "transport/base/monotonic_clock.h"
#include "transport/base/unique_fd.h"

namespace grpc_shm {
namespace {

// Far more than anything here takes, unless it never comes.
constexpr absl::Duration kPatience = absl::Seconds(30);

// How many of this process's threads are the reactor's.
int ReactorThreads() {
  int threads = 0;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "comm");
    std::string name;
    if (std::getline(file, name) && name == "grpc-shm-react") ++threads;
  }
  return threads;
}

// Looks again and again: there is nobody who tells that a thread has ended.
bool ComesTrue(const std::function<bool()>& condition) {
  const absl::Time end = absl::Now() + kPatience;
  while (!condition()) {
    if (absl::Now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

bool FallsIdle() {
  return ComesTrue([] { return ReactorThreads() <= Reactor::kMaxIdleThreads; });
}

class ReactorTest : public ::testing::Test {
 protected:
  // Each test begins with few threads, and whatever it did, ends so.
  void TearDown() override { EXPECT_TRUE(FallsIdle()) << ReactorThreads(); }
};

// Whether an event is served.
bool ServesAnEvent() {
  const auto served = std::make_shared<absl::Notification>();
  Reactor::Get().Post([served] { served->Notify(); });
  return served->WaitForNotificationWithTimeout(kPatience);
}

// Handlers that run at once, and stay until they are let go.
class StuckHandlers {
 public:
  // Started by one event each. `declared`: inside of a BlockingScope.
  StuckHandlers(int count, bool declared) : running_(count), ended_(count) {
    for (int i = 0; i < count; ++i) {
      Reactor::Get().Post([this, declared] {
        if (declared) {
          Reactor::BlockingScope blocking;
          Stay();
        } else {
          Stay();
        }
        ended_.DecrementCount();
      });
    }
    running_.Wait();
  }
  ~StuckHandlers() {
    go_.Notify();
    ended_.Wait();
  }

 private:
  void Stay() {
    running_.DecrementCount();
    go_.WaitForNotification();
  }

  absl::BlockingCounter running_;
  absl::BlockingCounter ended_;
  absl::Notification go_;
};

TEST_F(ReactorTest, HandlersThatBlockStopNobodyAndLeaveNoThreads) {
  constexpr int kHandlers = 50;
  {
    StuckHandlers stuck(kHandlers, /*declared=*/true);
    EXPECT_GE(ReactorThreads(), kHandlers + 1);
    EXPECT_TRUE(ServesAnEvent());
  }
  EXPECT_TRUE(FallsIdle()) << ReactorThreads();
  EXPECT_TRUE(ServesAnEvent());  // those that are left are not stuck
}

TEST_F(ReactorTest, ThreadsThatEndAreStartedAnewWhenNeeded) {
  for (int round = 0; round < 20; ++round) {
    StuckHandlers stuck(20, /*declared=*/true);
    EXPECT_TRUE(ServesAnEvent());
  }
}

TEST_F(ReactorTest, AFewHandlersMayBlockWithoutSayingSo) {
  {
    StuckHandlers stuck(Reactor::kMaxThreads - 1, /*declared=*/false);
    EXPECT_TRUE(ServesAnEvent());
  }
}

TEST_F(ReactorTest, WhoDeclaresTakesNoneOfTheThreadsOfThoseWhoDoNot) {
  StuckHandlers declared(2 * Reactor::kMaxThreads, /*declared=*/true);
  StuckHandlers others(Reactor::kMaxThreads - 1, /*declared=*/false);
  EXPECT_TRUE(ServesAnEvent());
}

// All threads that may handle events are taken; then one of them says that it
// is going to block.
TEST_F(ReactorTest, DeclaringStartsTheThreadThatWasWithheld) {
  StuckHandlers others(Reactor::kMaxThreads - 1, /*declared=*/false);
  absl::Notification declare;
  absl::Notification declared;
  absl::Notification go;
  absl::Notification ended;
  absl::Notification served;
  Reactor::Get().Post([&] {
    declare.WaitForNotification();
    {
      Reactor::BlockingScope blocking;
      declared.Notify();
      go.WaitForNotification();
    }
    ended.Notify();
  });
  Reactor::Get().Post([&] { served.Notify(); });
  declare.Notify();
  declared.WaitForNotification();
  EXPECT_TRUE(served.WaitForNotificationWithTimeout(kPatience));
  go.Notify();
  ended.WaitForNotification();
}

// That many threads and no more run handlers that do not declare anything,
// besides `declared` that do.
void ExpectTheUsualLimit(int declared) {
  StuckHandlers others(Reactor::kMaxThreads, /*declared=*/false);
  EXPECT_EQ(ReactorThreads(), declared + Reactor::kMaxThreads);
}

TEST_F(ReactorTest, AnInnerScopeDoesNothing) {
  constexpr int kHandlers = 2 * Reactor::kMaxThreads;
  absl::BlockingCounter running(kHandlers);
  absl::BlockingCounter ended(kHandlers);
  absl::Notification go;
  for (int i = 0; i < kHandlers; ++i) {
    Reactor::Get().Post([&, stays_inside = i % 2 == 0] {
      const auto stay = [&] {
        running.DecrementCount();
        go.WaitForNotification();
      };
      {
        Reactor::BlockingScope outer;
        {
          Reactor::BlockingScope inner;
          if (stays_inside) stay();
        }
        if (!stays_inside) stay();
      }
      ended.DecrementCount();
    });
  }
  running.Wait();
  ASSERT_TRUE(ComesTrue([&] {
    return ReactorThreads() <= kHandlers + Reactor::kMaxIdleThreads;
  }));
  ExpectTheUsualLimit(kHandlers);
  go.Notify();
  ended.Wait();
  ASSERT_TRUE(FallsIdle());
  ExpectTheUsualLimit(0);
}

TEST_F(ReactorTest, TheScopeDoesNothingOnAThreadOfSomebodyElse) {
  ASSERT_TRUE(ServesAnEvent());
  ASSERT_TRUE(FallsIdle());
  {
    const int threads = ReactorThreads();
    Reactor::BlockingScope scope;
    EXPECT_EQ(ReactorThreads(), threads);
    ExpectTheUsualLimit(0);
  }
  ASSERT_TRUE(FallsIdle());
  ExpectTheUsualLimit(0);
}

TEST_F(ReactorTest, EventsOfManySourcesAreAllServedWhileHandlersComeAndGo) {
  constexpr int kSources = 16;
  constexpr int kEvents = 200;
  struct Source {
    UniqueFd fd;
    Reactor::SourceId id = 0;
    std::atomic<int> rung{0};
    std::atomic<int> served{0};
  };
  std::vector<std::shared_ptr<Source>> sources;
  for (int i = 0; i < kSources; ++i) {
    const auto source = std::make_shared<Source>();
    source->fd.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    ASSERT_TRUE(source->fd.valid());
    absl::StatusOr<Reactor::SourceId> id = Reactor::Get().Watch(
        source->fd.get(), EPOLLIN | EPOLLET,
        [weak = std::weak_ptr<Source>(source), blocks = i % 2 == 0](uint32_t) {
          const std::shared_ptr<Source> self = weak.lock();
          if (self == nullptr) return;
          const auto serve = [&self] { self->served.store(self->rung.load()); };
          if (!blocks) return serve();
          Reactor::BlockingScope blocking;
          serve();
        });
    ASSERT_TRUE(id.ok()) << id.status();
    source->id = *id;
    sources.push_back(source);
  }
  for (int event = 0; event < kEvents; ++event) {
    for (const auto& source : sources) {
      source->rung.fetch_add(1);
      const uint64_t one = 1;
      ASSERT_EQ(write(source->fd.get(), &one, sizeof(one)), sizeof(one));
    }
  }
  // The last ring is an event after the last count.
  for (const auto& source : sources) {
    EXPECT_TRUE(ComesTrue([&] { return source->served.load() == kEvents; }));
    Reactor::Get().Unwatch(source->id, source->fd.get());
  }
}

TEST_F(ReactorTest, ATimerIsNotEarlyAndTakesTimesOfAnyLength) {
  const int64_t when = MonotonicNanos() + 10000000;
  absl::Notification past;
  absl::Notification soon;
  int64_t fired = 0;
  const Reactor::TimerId never =
      Reactor::Get().After(absl::InfiniteDuration(), [] { FAIL(); });
  Reactor::Get().After(-absl::InfiniteDuration(), [&] { past.Notify(); });
  Reactor::Get().At(when, [&] {
    fired = MonotonicNanos();
    soon.Notify();
  });
  EXPECT_TRUE(past.WaitForNotificationWithTimeout(kPatience));
  ASSERT_TRUE(soon.WaitForNotificationWithTimeout(kPatience));
  EXPECT_GE(fired, when);
  Reactor::Get().CancelTimer(never);
}

TEST_F(ReactorTest, ATimerThatTakesLongHoldsUpNoOther) {
  absl::Notification second;
  absl::Notification first_done;
  const int64_t when = MonotonicNanos() + 1000000;
  bool met = false;
  Reactor::Get().At(when, [&] {
    met = second.WaitForNotificationWithTimeout(kPatience);
    first_done.Notify();
  });
  Reactor::Get().At(when, [&] { second.Notify(); });
  first_done.WaitForNotification();
  EXPECT_TRUE(met);
}

}  // namespace
}  // namespace grpc_shm
