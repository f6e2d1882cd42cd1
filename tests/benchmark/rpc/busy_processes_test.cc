// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/busy_processes.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace grpc_shm::bench {
namespace {

TEST(BusyProcesses, UseCpuTimeUntilTheObjectIsGone) {
  std::vector<pid_t> pids;
  {
    BusyProcesses busy;
    ASSERT_TRUE(busy.Start(2).ok());
    pids = busy.pids();
    ASSERT_EQ(pids.size(), 2u);
    const absl::Duration before = busy.CpuTime();
    EXPECT_GT(before, absl::ZeroDuration());
    while (busy.CpuTime() < before + absl::Milliseconds(5)) {
    }
  }
  for (pid_t pid : pids) {
    EXPECT_EQ(kill(pid, 0), -1);
    EXPECT_EQ(errno, ESRCH);
  }
}

TEST(BusyProcesses, DieWithTheProcessThatStartedThem) {
  // What the child leaves behind becomes ours, so that we see its end.
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  const pid_t child = fork();
  if (child == 0) {
    BusyProcesses busy;
    const bool started = busy.Start(1).ok();
    const pid_t pid = started ? busy.pids()[0] : 0;
    if (write(report[1], &pid, sizeof(pid)) != sizeof(pid)) _exit(1);
    pause();
  }
  pid_t busy_pid = 0;
  ASSERT_EQ(read(report[0], &busy_pid, sizeof(busy_pid)),
            static_cast<ssize_t>(sizeof(busy_pid)));
  ASSERT_GT(busy_pid, 0);
  ASSERT_EQ(kill(child, SIGKILL), 0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  int status = 0;
  ASSERT_EQ(waitpid(busy_pid, &status, 0), busy_pid);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  close(report[0]);
  close(report[1]);
}

}  // namespace
}  // namespace grpc_shm::bench
