// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/unit/link/child_process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace grpc_shm::testing {
namespace {

constexpr size_t kMaxText = 4096;

std::pair<UniqueFd, UniqueFd> MakeSocketPair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    std::abort();
  }
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

void Conversation::Say(absl::string_view text) {
  // A listener who is gone shows in what it does not say.
  (void)send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

std::string Conversation::Hear() {
  std::string text(kMaxText, '\0');
  ssize_t received;
  do {
    received = recv(socket_.get(), text.data(), text.size(), 0);
  } while (received < 0 && errno == EINTR);
  text.resize(received > 0 ? static_cast<size_t>(received) : 0);
  return text;
}

ChildProcess::ChildProcess(std::function<void(Conversation&)> body)
    : conversation_(UniqueFd()) {
  auto [ours, theirs] = MakeSocketPair();
  std::fflush(nullptr);
  pid_ = fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    ours.reset();
    {
      Conversation parent(std::move(theirs));
      body(parent);
    }
    std::fflush(nullptr);
    _exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  conversation_ = Conversation(std::move(ours));
}

int ChildProcess::Wait() {
  if (pid_ < 0) return -1;
  int status;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void ChildProcess::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  Wait();
}

absl::Status RunInChild(const std::function<absl::Status()>& body) {
  ChildProcess child([&body](Conversation& parent) {
    const absl::Status status = body();
    parent.Say(absl::StrCat(static_cast<int>(status.code())));
    parent.Say(absl::StrCat("=", status.message()));
  });
  const std::string code_text = child.conversation().Hear();
  const std::string message = child.conversation().Hear();
  int code;
  if (child.Wait() != 0 || !absl::SimpleAtoi(code_text, &code)) {
    return absl::InternalError("the child failed or died");
  }
  return absl::Status(static_cast<absl::StatusCode>(code), message.substr(1));
}

}  // namespace grpc_shm::testing
