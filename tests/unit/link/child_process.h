// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_UNIT_LINK_CHILD_PROCESS_H_
#define GRPC_SHM_TESTS_UNIT_LINK_CHILD_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "transport/base/unique_fd.h"

namespace grpc_shm::testing {

// One end of a conversation between a test and its child: short texts, in
// order. Used instead of any waiting for time to pass.
class Conversation {
 public:
  explicit Conversation(UniqueFd socket) : socket_(std::move(socket)) {}

  void Say(absl::string_view text);
  // Waits for the other end; "" when it has hung up.
  std::string Hear();

 private:
  UniqueFd socket_;
};

// A forked child that runs `body` and exits: with 0, or 1 when an expectation
// failed in it. Killed, at the latest, with its owner. To be used while the
// test has a single thread.
class ChildProcess {
 public:
  explicit ChildProcess(std::function<void(Conversation& parent)> body);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() { Kill(); }

  pid_t pid() const { return pid_; }
  Conversation& conversation() { return conversation_; }

  // Waits for the end; the exit code, or -1 for a signal.
  int Wait();
  // SIGKILL; returns when the kernel has taken everything back.
  void Kill();

 private:
  ChildProcess(std::function<void(Conversation&)> body, UniqueFd ours,
               UniqueFd theirs);

  pid_t pid_ = -1;
  Conversation conversation_;
};

// Runs `body` in a child and returns what it returned; INTERNAL if the child
// did not live to return anything.
absl::Status RunInChild(const std::function<absl::Status()>& body);

}  // namespace grpc_shm::testing

#endif  // GRPC_SHM_TESTS_UNIT_LINK_CHILD_PROCESS_H_
