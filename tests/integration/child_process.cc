// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/child_process.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "absl/status/status.h"
#include "tests/integration/observer.h"

extern char** environ;

namespace grpc_shm {
namespace testing {
namespace {

// GRPC_SHM_TEST_BINARIES names a file beside the programs (Bazel's
// $(rootpath)); without it they are beside the test.
std::string PathOf(const std::string& program) {
  std::string neighbour;
  if (const char* given = getenv("GRPC_SHM_TEST_BINARIES")) {
    neighbour = given;
  } else {
    char self[4096];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof(self));
    neighbour.assign(self, length > 0 ? length : 0);
  }
  return neighbour.substr(0, neighbour.rfind('/') + 1) + program;
}

[[noreturn]] void Die(const std::string& what, int error) {
  fprintf(stderr, "%s: %s\n", what.c_str(), strerror(error));
  abort();
}

}  // namespace

ChildProcess::ChildProcess(const std::string& program) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    Die("socketpair", errno);
  }
  control_ = ControlSocket(UniqueFd(ends[0]));
  const UniqueFd theirs(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), kControlFd);
  // Whatever the test process has inherited or not marked CLOEXEC.
  posix_spawn_file_actions_addclosefrom_np(&actions, kControlFd + 1);
  std::string path = PathOf(program);
  char* arguments[] = {&path[0], nullptr};
  const int error =
      posix_spawn(&pid_, path.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) Die(path, error);
}

ChildProcess::~ChildProcess() {
  if (running_) Kill();
}

ControlReply ChildProcess::Command(const ControlRequest& request) {
  ControlReply reply;
  if (!Send(request) || !Receive(&reply)) {
    reply.set_code(static_cast<int>(absl::StatusCode::kUnavailable));
    reply.set_message("the child is gone");
  }
  return reply;
}

void ChildProcess::Signal(int signal) { kill(pid_, signal); }

void ChildProcess::Stop() {
  Signal(SIGSTOP);
  int status;
  waitpid(pid_, &status, WUNTRACED);
}

int ChildProcess::AwaitStop() {
  int status = 0;
  waitpid(pid_, &status, WUNTRACED);
  if (!WIFSTOPPED(status)) running_ = false;
  return status;
}

int64_t ChildProcess::Kill() {
  const int64_t now = MonotonicNanos();
  Signal(SIGKILL);
  waitpid(pid_, nullptr, 0);
  running_ = false;
  return now;
}

void ChildProcess::HangUp() { control_ = ControlSocket(); }

int ChildProcess::Finish() {
  HangUp();
  int status = 0;
  waitpid(pid_, &status, 0);
  running_ = false;
  return status;
}

}  // namespace testing
}  // namespace grpc_shm
