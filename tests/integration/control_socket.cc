// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/control_socket.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace grpc_shm {
namespace testing {
namespace {

// Bytes of address space in use.
int64_t AddressSpace() {
  std::ifstream statm("/proc/self/statm");
  int64_t pages = 0;
  statm >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

int HighestDescriptor() {
  int highest = 0;
  DIR* directory = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(directory)) {
    const int fd = atoi(entry->d_name);
    if (fd != dirfd(directory)) highest = std::max(highest, fd);
  }
  closedir(directory);
  return highest;
}

}  // namespace

bool ControlSocket::Send(const google::protobuf::MessageLite& message) {
  const std::string bytes = message.SerializeAsString();
  // An empty packet would look like the end.
  const std::string packet = "+" + bytes;
  return send(fd(), packet.data(), packet.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(packet.size());
}

bool ControlSocket::Receive(google::protobuf::MessageLite* message) {
  std::string packet(1 << 20, '\0');
  ssize_t received;
  do {
    received = recv(fd(), &packet[0], packet.size(), 0);
  } while (received < 0 && errno == EINTR);
  if (received <= 0) return false;
  return message->ParseFromArray(packet.data() + 1, received - 1);
}

int ServeControl(
    const std::function<ControlReply(const ControlRequest&)>& handle) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  ControlSocket socket{UniqueFd(kControlFd)};
  ControlRequest request;
  while (socket.Receive(&request)) {
    if (!socket.Send(handle(request))) return 1;
  }
  return 0;
}

ControlReply ApplyLimit(const LimitResource& limit) {
  ControlReply reply;
  const int resource = limit.address_space() ? RLIMIT_AS : RLIMIT_NOFILE;
  rlimit values;
  getrlimit(resource, &values);
  values.rlim_cur =
      limit.spare() +
      (limit.address_space() ? AddressSpace() : HighestDescriptor() + 1);
  if (setrlimit(resource, &values) != 0) {
    reply.set_code(static_cast<int>(absl::StatusCode::kInternal));
    reply.set_message("setrlimit");
  }
  if (limit.address_space()) return reply;
  // Numbers below the highest may be free as well: all are taken, and then
  // just as many given back.
  std::vector<int> taken;
  for (int fd = dup(kControlFd); fd >= 0; fd = dup(kControlFd)) {
    taken.push_back(fd);
  }
  for (int64_t i = 0; i < limit.spare(); ++i) {
    close(taken.back());
    taken.pop_back();
  }
  return reply;
}

ControlReply BecomeUser(uint32_t user) {
  ControlReply reply;
  if (setgroups(0, nullptr) != 0 || setgid(user) != 0 || setuid(user) != 0) {
    reply.set_code(static_cast<int>(absl::StatusCode::kPermissionDenied));
    reply.set_message("setuid");
  }
  return reply;
}

}  // namespace testing
}  // namespace grpc_shm
