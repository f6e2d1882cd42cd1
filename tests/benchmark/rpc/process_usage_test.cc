// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/process_usage.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "absl/synchronization/notification.h"

namespace grpc_shm::bench {
namespace {

// Lets this process use at least `amount` of CPU time.
void Work(absl::Duration amount) {
  const absl::Duration end = *CpuTimeOf(getpid()) + amount;
  while (*CpuTimeOf(getpid()) < end) {
  }
}

TEST(ProcessUsage, CountsThreadsThatHaveEnded) {
  UsageMeter meter(/*server_pid=*/0);
  ASSERT_TRUE(meter.Reset().ok());
  std::thread(Work, absl::Milliseconds(20)).join();
  const auto usage = meter.Read();
  ASSERT_TRUE(usage.ok()) << usage.status();
  EXPECT_GE(usage->client_cpu, absl::Milliseconds(20));
  EXPECT_EQ(usage->server_cpu, absl::ZeroDuration());
  EXPECT_EQ(usage->cpu(), usage->client_cpu);
}

TEST(ProcessUsage, CountsAnotherProcess) {
  const pid_t child = fork();
  if (child == 0) {
    Work(absl::Milliseconds(20));
    pause();
  }
  while (CpuTimeOf(child).value_or(absl::ZeroDuration()) <
         absl::Milliseconds(20)) {
  }
  UsageMeter meter(child);
  const auto usage = meter.Read();
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  ASSERT_TRUE(usage.ok()) << usage.status();
  EXPECT_GE(usage->server_cpu, absl::Milliseconds(20));
  EXPECT_EQ(CpuTimeOf(child).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(meter.Read().status().code(), absl::StatusCode::kNotFound);
}

TEST(ProcessUsage, CountsContextSwitchesOfOwnThreadsOnly) {
  EXPECT_EQ(OwnContextSwitchesOf(getpid()), std::nullopt);
  absl::Notification named;
  absl::Notification end;
  std::thread own([&] {
    pthread_setname_np(pthread_self(), "grpc-shm-test");
    named.Notify();
    end.WaitForNotification();
  });
  named.WaitForNotification();
  // The thread goes to sleep after it has told us: one context switch.
  while (OwnContextSwitchesOf(getpid()).value_or(0) < 1) {
  }
  end.Notify();
  own.join();
  EXPECT_EQ(OwnContextSwitchesOf(getpid()), std::nullopt);
}

}  // namespace
}  // namespace grpc_shm::bench
