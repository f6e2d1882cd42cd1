// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/packet_socket.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"

namespace grpc_shm::bench {
namespace {

constexpr size_t kMaxPacketBytes = 64 * 1024;
// Begins each packet, so that a message without any field is not taken for the
// end.
constexpr char kPacketStart = 'P';

int PollTimeout(absl::Duration timeout) {
  constexpr int64_t kLongest = std::numeric_limits<int>::max();
  return timeout == absl::InfiniteDuration()
             ? -1
             : static_cast<int>(
                   std::min(absl::ToInt64Milliseconds(timeout), kLongest));
}

}  // namespace

absl::Status SendPacket(int socket,
                        const google::protobuf::MessageLite& message) {
  const std::string packet = kPacketStart + message.SerializeAsString();
  if (send(socket, packet.data(), packet.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(packet.size())) {
    return absl::UnavailableError(
        absl::StrCat("the other process is gone: ",
                     absl::ErrnoToStatus(errno, "send").ToString()));
  }
  return absl::OkStatus();
}

absl::Status ReceivePacket(int socket, absl::Duration timeout,
                           google::protobuf::MessageLite* message) {
  pollfd readable = {socket, POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&readable, 1, PollTimeout(timeout));
  } while (ready < 0 && errno == EINTR);
  if (ready < 0)
    return absl::ErrnoToStatus(errno, "waiting for the other process");
  if (ready == 0) {
    return absl::DeadlineExceededError(absl::StrCat(
        "the other process said nothing for ", absl::FormatDuration(timeout)));
  }
  std::array<char, kMaxPacketBytes> packet;
  const ssize_t received = recv(socket, packet.data(), packet.size(), 0);
  if (received < 0)
    return absl::ErrnoToStatus(errno, "receiving from the other process");
  if (received == 0)
    return absl::OutOfRangeError("the other process has ended");
  if (packet[0] != kPacketStart ||
      !message->ParseFromArray(&packet[1], static_cast<int>(received) - 1)) {
    return absl::DataLossError(
        "the other process sent something else than expected");
  }
  return absl::OkStatus();
}

}  // namespace grpc_shm::bench
