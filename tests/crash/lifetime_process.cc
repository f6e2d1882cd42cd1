// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/crash/lifetime_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/observer.h"

extern char** environ;

namespace grpc_shm {
namespace testing {
namespace {

constexpr int kPatienceMs = 30000;

[[noreturn]] void Die(const char* what) {
  perror(what);
  abort();
}

}  // namespace

LifetimeProcess::LifetimeProcess(const std::string& mode,
                                 const std::string& address) {
  const char* const program = getenv("GRPC_SHM_LIFETIME_PROGRAM");
  if (program == nullptr) Die("GRPC_SHM_LIFETIME_PROGRAM");
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) Die("pipe2");
  output_ = ends[0];
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  std::string arguments[] = {program, mode, address};
  char* pointers[] = {&arguments[0][0], &arguments[1][0], &arguments[2][0],
                      nullptr};
  if (posix_spawn(&pid_, program, &actions, nullptr, pointers, environ) != 0)
    Die(program);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
}

LifetimeProcess::~LifetimeProcess() {
  if (pid_ > 0) Kill();
  if (child_ > 0) kill(child_, SIGKILL);
  close(output_);
}

pid_t LifetimeProcess::AwaitReady() {
  std::string line;
  char byte;
  while (read(output_, &byte, 1) == 1 && byte != '\n') line += byte;
  int child;
  if (sscanf(line.c_str(), "ready %d", &child) != 1) return -1;
  return child_ = child;
}

int64_t LifetimeProcess::Kill() {
  const int64_t now = MonotonicNanos();
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
  return now;
}

int LifetimeProcess::AwaitEnd() {
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (handle < 0) Die("pidfd_open");
  pollfd end = {handle, POLLIN, 0};
  poll(&end, 1, kPatienceMs);
  close(handle);
  if (end.revents == 0) kill(pid_, SIGKILL);  // it hangs
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = 0;
  return status;
}

}  // namespace testing
}  // namespace grpc_shm
