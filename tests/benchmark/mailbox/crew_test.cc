// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/mailbox/crew.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "tests/benchmark/mailbox/shared_memory.h"

namespace grpc_shm::bench::mailbox {
namespace {

struct Counters {
  std::atomic<int> before;
  std::atomic<int> after;
};

TEST(Crew, NobodyPassesTheGateBeforeItOpens) {
  SharedMemory<Counters> counters;
  Crew crew;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(crew.Add([&](Crew::Gate* gate) {
                      ++counters->before;
                      gate->Pass();
                      ++counters->after;
                      return absl::OkStatus();
                    })
                    .ok());
  }
  ASSERT_TRUE(crew.AwaitReady().ok());
  EXPECT_EQ(counters->before, 4);
  EXPECT_EQ(counters->after, 0);
  crew.Start();
  EXPECT_TRUE(crew.Finish().ok());
  EXPECT_EQ(counters->after, 4);
}

TEST(Crew, TellsTheErrorOfAPart) {
  Crew crew;
  ASSERT_TRUE(crew.Add([](Crew::Gate* gate) {
                    gate->Pass();
                    return absl::DataLossError("it is gone");
                  })
                  .ok());
  ASSERT_TRUE(crew.AwaitReady().ok());
  crew.Start();
  EXPECT_EQ(crew.Finish(), absl::DataLossError("it is gone"));
}

TEST(Crew, TellsTheErrorOfAPreparation) {
  Crew crew;
  ASSERT_TRUE(
      crew.Add([](Crew::Gate*) { return absl::NotFoundError("there is none"); })
          .ok());
  EXPECT_EQ(crew.AwaitReady(), absl::NotFoundError("there is none"));
}

TEST(Crew, TellsThatAProcessDied) {
  Crew crew;
  ASSERT_TRUE(crew.Add([](Crew::Gate* gate) {
                    gate->Pass();
                    kill(getpid(), SIGKILL);
                    return absl::OkStatus();
                  })
                  .ok());
  ASSERT_TRUE(crew.AwaitReady().ok());
  crew.Start();
  EXPECT_EQ(crew.Finish().code(), absl::StatusCode::kUnavailable);
}

TEST(Crew, DoesNotWaitForeverForAProcessThatHangs) {
  pid_t hanging = 0;
  {
    Crew crew(absl::Seconds(1));
    ASSERT_TRUE(crew.Add([](Crew::Gate* gate) {
                      gate->Pass();
                      while (true) pause();
                      return absl::OkStatus();
                    })
                    .ok());
    ASSERT_TRUE(crew.AwaitReady().ok());
    hanging = crew.pids().front();
    crew.Start();
    EXPECT_EQ(crew.Finish().code(), absl::StatusCode::kDeadlineExceeded);
  }
  EXPECT_NE(kill(hanging, 0), 0) << "it is still there";
}

TEST(RunInChild, ReturnsWhatTheWorkReturns) {
  EXPECT_TRUE(RunInChild([] { return absl::OkStatus(); }).ok());
  EXPECT_EQ(RunInChild([] { return absl::AbortedError("no"); }),
            absl::AbortedError("no"));
}

}  // namespace
}  // namespace grpc_shm::bench::mailbox
