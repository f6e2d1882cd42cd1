// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/mailbox/crew.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grpc_shm::bench::mailbox {
namespace {

// Not one of the codes of a status.
constexpr char kReady = 'r';

void Say(int fd, const std::string& what) {
  // If it can't be said nobody listens any more.
  [[maybe_unused]] const ssize_t ignored = write(fd, what.data(), what.size());
}

absl::Status MakePipe(UniqueFd* read_end, UniqueFd* write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe2");
  *read_end = UniqueFd(ends[0]);
  *write_end = UniqueFd(ends[1]);
  return absl::OkStatus();
}

// The status that a process says: its code, which is read already, and message.
absl::Status HearStatus(int speaker, char code) {
  std::string message;
  char byte;
  // The end comes at once, the process says all in one go.
  while (read(speaker, &byte, 1) == 1) message += byte;
  return absl::Status(static_cast<absl::StatusCode>(code), message);
}

}  // namespace

void Crew::Gate::Pass() {
  Say(ready_, std::string(1, kReady));
  char none;
  while (read(start_, &none, 1) < 0 && errno == EINTR) {
  }
}

Crew::Crew(absl::Duration patience) : patience_(patience) {}

Crew::~Crew() {
  for (pid_t pid : pids_) kill(pid, SIGKILL);
  for (pid_t pid : pids_) {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

absl::Status Crew::Add(const Part& part) {
  absl::Status status;
  if (pids_.empty()) status = MakePipe(&gate_[0], &gate_[1]);
  UniqueFd listener;
  UniqueFd speaker;
  if (status.ok()) status = MakePipe(&listener, &speaker);
  if (!status.ok()) return status;
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "fork");
  if (pid > 0) {
    pids_.push_back(pid);
    speakers_.push_back(std::move(listener));
    return absl::OkStatus();
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  gate_[1].reset();  // else the gate never opens
  Gate gate(speaker.get(), gate_[0].get());
  const absl::Status done = part(&gate);
  Say(speaker.get(),
      absl::StrCat(std::string(1, static_cast<char>(done.raw_code())),
                   done.message()));
  _exit(0);
}

absl::Status Crew::Hear(
    const std::function<absl::Status(int speaker, char said)>& expected) {
  std::vector<pollfd> waiting;
  for (const UniqueFd& speaker : speakers_)
    waiting.push_back({speaker.get(), POLLIN, 0});
  for (size_t left = waiting.size(); left > 0;) {
    const int ready =
        poll(waiting.data(), waiting.size(),
             static_cast<int>(absl::ToInt64Milliseconds(patience_)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      return absl::DeadlineExceededError(absl::StrCat(
          "a process said nothing for ", absl::FormatDuration(patience_)));
    }
    for (pollfd& one : waiting) {
      if (one.fd < 0 || one.revents == 0) continue;
      char said = 0;
      if (read(one.fd, &said, 1) != 1)
        return absl::UnavailableError("a process has died");
      if (absl::Status status = expected(one.fd, said); !status.ok())
        return status;
      one.fd = -1;  // poll() takes it for none
      --left;
    }
  }
  return absl::OkStatus();
}

absl::Status Crew::AwaitReady() {
  return Hear([](int speaker, char said) {
    if (said == kReady) return absl::OkStatus();
    const absl::Status status = HearStatus(speaker, said);
    return status.ok() ? absl::InternalError("a process did not wait") : status;
  });
}

void Crew::Start() { gate_[1].reset(); }

absl::Status Crew::Finish() { return Hear(HearStatus); }

absl::Status RunInChild(const std::function<absl::Status()>& work) {
  Crew crew;
  absl::Status status = crew.Add([&work](Crew::Gate* gate) {
    gate->Pass();
    return work();
  });
  if (status.ok()) status = crew.AwaitReady();
  crew.Start();
  return status.ok() ? crew.Finish() : status;
}

}  // namespace grpc_shm::bench::mailbox
