// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/packet.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grpc_shm {
namespace {

// Space for one SCM_RIGHTS message, as aligned as the kernel wants it.
union ControlBuffer {
  char bytes[CMSG_SPACE(kMaxPacketDescriptors * sizeof(int))];
  cmsghdr alignment;
};

// Takes ownership of every descriptor that the kernel has installed for
// `message`, whatever else is wrong with it.
std::vector<UniqueFd> TakeDescriptors(msghdr* message) {
  std::vector<UniqueFd> descriptors;
  // First: nothing may throw between a descriptor and its owner.
  descriptors.reserve(kMaxPacketDescriptors);
  for (cmsghdr* control = CMSG_FIRSTHDR(message); control != nullptr;
       control = CMSG_NXTHDR(message, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(control) + i * sizeof(fd), sizeof(fd));
      descriptors.emplace_back(fd);
    }
  }
  return descriptors;
}

bool HungUp(int socket_fd) {
  pollfd poll_fd = {socket_fd, POLLRDHUP, 0};
  return poll(&poll_fd, 1, /*timeout=*/0) > 0 && poll_fd.revents != 0;
}

ssize_t Receive(int socket_fd, msghdr* message) {
  ssize_t received;
  do {
    received = recvmsg(socket_fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  return received;
}

absl::Status ReceiveError(int error) {
  if (error == EAGAIN) {
    return absl::UnavailableError("no packet has arrived yet");
  }
  if (error == ECONNRESET || error == EPIPE || error == ENOTCONN) {
    return absl::UnavailableError("the peer has hung up");
  }
  return absl::ErrnoToStatus(error, "receiving a packet");
}

}  // namespace

absl::Status SendPacket(int socket_fd, absl::string_view bytes,
                        absl::Span<const int> descriptors) {
  if (bytes.size() > kMaxPacketBytes ||
      descriptors.size() > kMaxPacketDescriptors) {
    return absl::InternalError(
        absl::StrCat("a packet of ", bytes.size(), " bytes and ",
                     descriptors.size(), " descriptors is beyond the limits"));
  }
  iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
  ControlBuffer control = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    const size_t payload = descriptors.size() * sizeof(int);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(payload);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(payload);
    std::memcpy(CMSG_DATA(header), descriptors.data(), payload);
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return absl::OkStatus();  // a packet goes whole or not at all
  switch (errno) {
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
      return absl::UnavailableError("the peer has hung up");
    case EAGAIN:
      return absl::UnavailableError("the peer does not read its socket");
    case ETOOMANYREFS:  // more in flight than RLIMIT_NOFILE
      return absl::ResourceExhaustedError(
          "too many descriptors are on their way to other processes");
    default:
      return absl::ErrnoToStatus(errno, "sending a packet");
  }
}

absl::StatusOr<Packet> ReceivePacket(int socket_fd, size_t max_descriptors) {
  if (max_descriptors > kMaxPacketDescriptors) {
    return absl::InternalError("asked for more descriptors than the limit");
  }
  Packet packet;
  packet.bytes.resize(kMaxPacketBytes);
  iovec part = {packet.bytes.data(), packet.bytes.size()};
  ControlBuffer control = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (max_descriptors > 0) {
    // CMSG_LEN, not the padded CMSG_SPACE: into this there go exactly as many
    // as we want. The kernel drops the others before they become ours.
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_LEN(max_descriptors * sizeof(int));
  }
  ssize_t received = Receive(socket_fd, &message);
  // A peer that hangs up without having read all it was sent resets the
  // connection, which is reported once and before what it had to say.
  if (received < 0 && errno == ECONNRESET) {
    received = Receive(socket_fd, &message);
  }
  if (received < 0) return ReceiveError(errno);
  packet.descriptors = TakeDescriptors(&message);

  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    // Cut short although there was space: the kernel could not install them.
    if (packet.descriptors.size() < max_descriptors) {
      return absl::ResourceExhaustedError(
          "this process cannot have any more file descriptors; raise its limit "
          "(ulimit -n) or close some");
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "the packet came with more than ", max_descriptors, " descriptors"));
  }
  if ((message.msg_flags & MSG_TRUNC) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the packet is longer than ", kMaxPacketBytes, " bytes"));
  }
  if (received == 0) {
    // An end of file and an empty packet look the same from here.
    if (HungUp(socket_fd)) {
      return absl::UnavailableError("the peer has hung up");
    }
    return absl::InvalidArgumentError("the packet is empty");
  }
  packet.bytes.resize(static_cast<size_t>(received));
  return packet;
}

}  // namespace grpc_shm
