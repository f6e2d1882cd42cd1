// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/process_identity.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "transport/mailbox/words.h"

namespace grpc_shm {
namespace {

absl::StatusOr<uint32_t> StartTimeOf(uint32_t pid) {
  const std::string path = absl::StrCat("/proc/", pid, "/stat");
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return absl::ErrnoToStatus(errno, absl::StrCat("opening ", path));
  }
  // The name, the one field of any content, has 15 characters at most.
  char buffer[1024];
  const ssize_t bytes = read(fd.get(), buffer, sizeof(buffer));
  if (bytes <= 0) {
    return absl::ErrnoToStatus(bytes < 0 ? errno : ESRCH,
                               absl::StrCat("reading ", path));
  }
  absl::string_view text(buffer, static_cast<size_t>(bytes));
  // "PID (NAME) STATE ...": a name may hold anything, parentheses included. The
  // start time is field 22, and the state field 3.
  const size_t name_end = text.rfind(") ");
  std::vector<absl::string_view> fields;
  if (name_end != text.npos) {
    fields = absl::StrSplit(text.substr(name_end + 2), ' ');
  }
  uint64_t ticks;
  if (fields.size() < 20 || !absl::SimpleAtoi(fields[19], &ticks)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is not what it is on Linux"));
  }
  return static_cast<uint32_t>(
      ticks & ((uint64_t{1} << ParticipantWord::kStartBits) - 1));
}

absl::StatusOr<uint64_t> Inode(const char* path) {
  struct stat info;
  if (stat(path, &info) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "mailboxes need /proc: ", absl::ErrnoToStatus(errno, path).message()));
  }
  return static_cast<uint64_t>(info.st_ino);
}

}  // namespace

absl::StatusOr<ProcessIdentity> ProcessIdentity::OfThisProcess() {
  const auto pid = static_cast<uint32_t>(getpid());
  absl::StatusOr<uint32_t> start = StartTimeOf(pid);
  if (!start.ok()) {
    if (absl::IsResourceExhausted(start.status())) return start.status();
    return absl::FailedPreconditionError(
        absl::StrCat("mailboxes need /proc: ", start.status().message()));
  }
  return ProcessIdentity{pid, *start};
}

absl::StatusOr<ProcessNamespaces> ProcessNamespaces::OfThisProcess() {
  absl::StatusOr<uint64_t> pid = Inode("/proc/self/ns/pid");
  if (!pid.ok()) return pid.status();
  // Older than Linux 5.6: everybody is in the same.
  absl::StatusOr<uint64_t> time = Inode("/proc/self/ns/time");
  return ProcessNamespaces{*pid, time.ok() ? *time : 0};
}

absl::StatusOr<UniqueFd> OpenProcess(ProcessIdentity identity) {
  // glibc 2.36 has no number for it on all machines, nor a wrapper everywhere.
#ifndef SYS_pidfd_open
  constexpr long SYS_pidfd_open = 434;
#endif
  UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, identity.pid, 0)));
  if (!fd.valid()) {
    if (errno == ESRCH || errno == EINVAL) {
      return absl::NotFoundError(
          absl::StrCat("process ", identity.pid, " has ended"));
    }
    return absl::ErrnoToStatus(errno,
                               absl::StrCat("opening process ", identity.pid));
  }
  // Which process the descriptor is for is certain from here on, unless it had
  // another start time.
  absl::StatusOr<uint32_t> start = StartTimeOf(identity.pid);
  if (!start.ok() && absl::IsResourceExhausted(start.status())) {
    return start.status();
  }
  pollfd ended = {fd.get(), POLLIN, 0};
  if (!start.ok() || *start != identity.start || poll(&ended, 1, 0) != 0) {
    return absl::NotFoundError(
        absl::StrCat("process ", identity.pid, " has ended"));
  }
  return fd;
}

}  // namespace grpc_shm
