// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// The server's half of the hand-shake.

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "transport/base/fault_point.h"
#include "transport/link/address.h"
#include "transport/link/doorbell.h"
#include "transport/link/handshake.h"
#include "transport/link/handshake_messages.h"
#include "transport/link/packet.h"

namespace grpc_shm {
namespace {

absl::StatusOr<PeerCredentials> IdentifyClient(int socket_fd,
                                               const LinkOptions& options) {
  return AdmittedPeer(socket_fd, options.peers, "the client",
                      "the server's ListenerOptions::peer_policy");
}

absl::StatusOr<wire::Hello> ReceiveHello(int socket_fd,
                                         const LinkOptions& options) {
  // Hello comes without descriptors, so a client cannot make us hold any.
  absl::StatusOr<Packet> packet =
      ReceivePacket(socket_fd, /*max_descriptors=*/0);
  if (!packet.ok()) return packet.status();
  wire::Hello hello;
  if (!ParseHandshake(packet->bytes, &hello)) {
    return absl::InvalidArgumentError(
        "the client's first packet is not a hello of grpc-shm");
  }
  if (hello.version() != options.protocol_version) {
    return VersionMismatch(hello.version(), options.protocol_version);
  }
  return hello;
}

absl::Status SendWelcome(const Link::Parts& parts, int memfd,
                         const LinkOptions& options, const BoardPass* board) {
  wire::Answer answer;
  answer.set_magic(kHandshakeMagic);
  answer.set_version(options.protocol_version);
  wire::Welcome& welcome = *answer.mutable_welcome();
  welcome.set_header_bytes(parts.segment.header_bytes());
  welcome.set_ring_bytes(parts.segment.ring_bytes());
  welcome.set_window_bytes(parts.window_bytes);
  std::array<int, kWelcomeDescriptors + 1> descriptors;
  descriptors[kWelcomeSegment] = memfd;
  descriptors[kWelcomeServerDoorbell] = parts.own_doorbell.get();
  descriptors[kWelcomeClientDoorbell] = parts.peer_doorbell.get();
  size_t count = kWelcomeDescriptors;
  if (board != nullptr) {
    welcome.set_board_link(board->link);
    descriptors[kWelcomeBoard] = board->board;
    ++count;
  }
  return SendPacket(parts.control.get(), answer.SerializeAsString(),
                    absl::MakeConstSpan(descriptors.data(), count));
}

// `*socket` is taken only by a link: whoever is refused must still be told.
absl::StatusOr<std::unique_ptr<Link>> MakeLink(UniqueFd* socket,
                                               const LinkOptions& options,
                                               const BoardPass* board) {
  absl::StatusOr<PeerCredentials> peer = IdentifyClient(socket->get(), options);
  if (!peer.ok()) return peer.status();
  absl::StatusOr<wire::Hello> hello = ReceiveHello(socket->get(), options);
  if (!hello.ok()) return hello.status();
  GRPC_SHM_FAULT_POINT(ServerHelloReceived);

  UniqueFd memfd;
  absl::StatusOr<LinkSegment> segment = LinkSegment::Create(
      GrantedRingBytes(options, hello->ring_bytes()), &memfd);
  if (!segment.ok()) return segment.status();
  GRPC_SHM_FAULT_POINT(ServerSegmentMade);
  absl::StatusOr<UniqueFd> own_doorbell = CreateDoorbell();
  if (!own_doorbell.ok()) return own_doorbell.status();
  absl::StatusOr<UniqueFd> peer_doorbell = CreateDoorbell();
  if (!peer_doorbell.ok()) return peer_doorbell.status();
  GRPC_SHM_FAULT_POINT(ServerDoorbellsMade);
  Link::Parts parts{std::move(*socket),
                    *std::move(own_doorbell),
                    *std::move(peer_doorbell),
                    *std::move(segment),
                    *peer,
                    GrantedWindowBytes(options, hello->window_bytes())};
  absl::Status status = SendWelcome(parts, memfd.get(), options, board);
  if (!status.ok()) {
    *socket = std::move(parts.control);
    return status;
  }
  GRPC_SHM_FAULT_POINT(ServerWelcomeSent);
  return std::make_unique<Link>(Link::Side::kServer, std::move(parts));
}

bool SomebodyWaits(int listening_fd) {
  pollfd waiting = {listening_fd, POLLIN, 0};
  return poll(&waiting, 1, /*timeout=*/0) > 0;
}

}  // namespace

absl::StatusOr<UniqueFd> Accept(int listening_fd) {
  int fd;
  do {
    fd = accept4(listening_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  if (fd >= 0) {
    GRPC_SHM_FAULT_POINT(ServerAccepted);
    return UniqueFd(fd);
  }
  const int error = errno;
  // The kernel looks for a descriptor before it looks for a client.
  if (error == EAGAIN || error == ECONNABORTED || !SomebodyWaits(listening_fd))
    return absl::UnavailableError("no client waits to be accepted");
  return absl::ErrnoToStatus(error, "accepting a client");
}

absl::Status CheckClient(const UniqueFd& socket, const LinkOptions& options) {
  return IdentifyClient(socket.get(), options).status();
}

void Refuse(const UniqueFd& socket, const absl::Status& status,
            const LinkOptions& options) {
  wire::Answer answer;
  answer.set_magic(kHandshakeMagic);
  answer.set_version(options.protocol_version);
  answer.mutable_refused()->set_code(static_cast<int>(status.code()));
  answer.mutable_refused()->set_message(
      std::string(status.message().substr(0, kMaxPacketBytes / 2)));
  SendPacket(socket.get(), answer.SerializeAsString()).IgnoreError();
}

absl::StatusOr<std::unique_ptr<Link>> AnswerHello(UniqueFd socket,
                                                  const std::string& name,
                                                  const LinkOptions& options,
                                                  const BoardPass* board) {
  absl::StatusOr<std::unique_ptr<Link>> link =
      MakeLink(&socket, options, board);
  if (link.ok()) return link;
  Refuse(socket, link.status(), options);
  return WithAddress(name, link.status());
}

}  // namespace grpc_shm
