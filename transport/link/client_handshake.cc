// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// The client's half of the hand-shake.

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "transport/base/fault_point.h"
#include "transport/link/address.h"
#include "transport/link/doorbell.h"
#include "transport/link/handshake.h"
#include "transport/link/handshake_messages.h"
#include "transport/link/listening_name.h"
#include "transport/link/packet.h"
#include "transport/link/rendezvous.h"
#include "transport/link/socket_address.h"

namespace grpc_shm {
namespace {

// What IsCrowded looks for.
constexpr char kCrowded[] = "grpc_shm.crowded";

absl::Status ConnectError(int error, const std::string& name,
                          const std::string& path) {
  switch (error) {
    case ENOENT:
    case ECONNREFUSED:
      return absl::UnavailableError(absl::StrCat(
          DirectAddress(name), ": nobody is listening at ", path,
          "; start the server, or check that both processes have the same "
          "GRPC_SHM_DIR (or else XDG_RUNTIME_DIR, or else TMPDIR)"));
    case EAGAIN: {
      absl::Status status = absl::UnavailableError(
          absl::StrCat(DirectAddress(name),
                       ": too many clients wait for the server at ", path,
                       " to accept them; it is stopped or very busy, or its "
                       "ListenerOptions::backlog too small"));
      status.SetPayload(kCrowded, absl::Cord());
      return status;
    }
    case EPROTOTYPE:
      return absl::FailedPreconditionError(absl::StrCat(
          DirectAddress(name), ": not a grpc-shm server listens at ", path,
          "; stop it or choose another name"));
    default:
      return WithAddress(
          name,
          absl::ErrnoToStatus(error, absl::StrCat("connecting to ", path)));
  }
}

absl::StatusOr<PeerCredentials> IdentifyServer(int socket_fd,
                                               const LinkOptions& options) {
  PeerPolicy servers;
  servers.uids = options.peers.uids;
  return AdmittedPeer(socket_fd, servers, "the server",
                      "the channel's argument grpc_shm.server_uids");
}

// The status that a server's refusal stands for. The server may say anything.
absl::Status StatusOf(const wire::Refused& refused) {
  const std::string message =
      absl::StrCat("the server refused the connection: ",
                   absl::Utf8SafeCHexEscape(refused.message()));
  const int code = refused.code();
  const bool is_code =
      code > static_cast<int>(absl::StatusCode::kOk) &&
      code <= static_cast<int>(absl::StatusCode::kUnauthenticated);
  return absl::Status(is_code ? static_cast<absl::StatusCode>(code)
                              : absl::StatusCode::kInvalidArgument,
                      message);
}

// Everything there is to check in a Welcome but its segment.
absl::Status CheckWelcome(const wire::Welcome& welcome, size_t descriptors,
                          size_t wanted, const LinkOptions& options) {
  if (descriptors != wanted) {
    return absl::InvalidArgumentError(
        absl::StrCat("the server's welcome came with ", descriptors,
                     " descriptors and not ", wanted));
  }
  if (wanted > kWelcomeDescriptors
          ? welcome.board_link() == 0 || welcome.board_link() > 0xfffe
          : welcome.board_link() != 0) {
    return absl::InvalidArgumentError(
        "the server's welcome is for something else than what was asked for");
  }
  // Whatever the limit, the smallest ring that the system allows is allowed.
  const size_t max_ring_bytes =
      std::max(options.max_ring_bytes, GrantedRingBytes(options, 1));
  if (welcome.ring_bytes() > max_ring_bytes) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the server wants rings of ", welcome.ring_bytes(),
        " bytes, and this process allows at most ", max_ring_bytes,
        "; lower the server's minimum or raise the client's max_ring_bytes"));
  }
  if (welcome.window_bytes() == 0 ||
      welcome.window_bytes() > options.max_window_bytes) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the server wants windows of ", welcome.window_bytes(),
        " bytes, and this process allows 1 to ", options.max_window_bytes,
        "; lower the server's minimum or raise the client's "
        "max_window_bytes"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Link>> MakeLink(UniqueFd socket,
                                               const LinkOptions& options,
                                               ReceivedBoard* board) {
  const size_t wanted = kWelcomeDescriptors + (board != nullptr ? 1 : 0);
  absl::StatusOr<PeerCredentials> peer = IdentifyServer(socket.get(), options);
  if (!peer.ok()) return peer.status();
  absl::StatusOr<Packet> packet = ReceivePacket(socket.get(), wanted);
  if (!packet.ok()) return packet.status();
  GRPC_SHM_FAULT_POINT(ClientWelcomeReceived);
  wire::Answer answer;
  if (!ParseHandshake(packet->bytes, &answer)) {
    return absl::InvalidArgumentError(
        "the server's answer is not one of grpc-shm");
  }
  if (answer.has_refused()) return StatusOf(answer.refused());
  if (answer.version() != options.protocol_version) {
    return VersionMismatch(options.protocol_version, answer.version());
  }
  if (!answer.has_welcome()) {
    return absl::InvalidArgumentError("the server's answer says nothing");
  }
  const wire::Welcome& welcome = answer.welcome();
  std::vector<UniqueFd>& descriptors = packet->descriptors;
  absl::Status status =
      CheckWelcome(welcome, descriptors.size(), wanted, options);
  if (!status.ok()) return status;
  absl::StatusOr<LinkSegment> segment =
      LinkSegment::Open(descriptors[kWelcomeSegment].get(),
                        welcome.header_bytes(), welcome.ring_bytes());
  if (!segment.ok()) return segment.status();
  GRPC_SHM_FAULT_POINT(ClientSegmentMapped);
  for (size_t i : {kWelcomeServerDoorbell, kWelcomeClientDoorbell}) {
    status = VerifyDoorbell(descriptors[i].get());
    if (!status.ok()) return status;
  }
  if (board != nullptr) {
    board->board = std::move(descriptors[kWelcomeBoard]);
    board->link = static_cast<uint16_t>(welcome.board_link());
  }
  return std::make_unique<Link>(
      Link::Side::kClient,
      Link::Parts{std::move(socket),
                  std::move(descriptors[kWelcomeClientDoorbell]),
                  std::move(descriptors[kWelcomeServerDoorbell]),
                  *std::move(segment), *peer, welcome.window_bytes()});
}

// `*error` is what connect(2) failed with, if so.
absl::StatusOr<UniqueFd> ConnectAt(const std::string& path,
                                   const std::string& name,
                                   const LinkOptions& options, int* error) {
  UniqueFd fd(
      socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) {
    return WithAddress(name, absl::ErrnoToStatus(errno, "making a socket"));
  }
  // On a unix socket this succeeds or fails, but is never in progress.
  const sockaddr_un address = SocketAddress(path);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) != 0) {
    *error = errno;
    return ConnectError(*error, name, path);
  }
  absl::StatusOr<PeerCredentials> peer = IdentifyServer(fd.get(), options);
  if (!peer.ok()) return WithAddress(name, peer.status());
  GRPC_SHM_FAULT_POINT(ClientConnected);

  wire::Hello hello;
  hello.set_magic(kHandshakeMagic);
  hello.set_version(options.protocol_version);
  hello.set_ring_bytes(options.ring_bytes);
  hello.set_window_bytes(options.window_bytes);
  absl::Status status = SendPacket(fd.get(), hello.SerializeAsString());
  // A server that refuses at once has hung up already. What it said before can
  // still be read.
  if (!status.ok() && !absl::IsUnavailable(status)) {
    return WithAddress(name, status);
  }
  GRPC_SHM_FAULT_POINT(ClientHelloSent);
  return fd;
}

}  // namespace

bool IsCrowded(const absl::Status& status) {
  return status.GetPayload(kCrowded).has_value();
}

RendezvousOptions ClientRendezvous(const LinkOptions& options) {
  RendezvousOptions where;
  where.directory = options.directory;
  where.shared = !options.peers.uids.empty();
  where.owners = options.peers.uids;
  return where;
}

absl::StatusOr<UniqueFd> Connect(const std::string& name,
                                 const LinkOptions& options) {
  const RendezvousOptions where = ClientRendezvous(options);
  absl::StatusOr<Rendezvous> rendezvous = Rendezvous::Open(where);
  if (absl::IsNotFound(rendezvous.status())) {
    return absl::UnavailableError(absl::StrCat(DirectAddress(name),
                                               ": nobody is listening, ",
                                               rendezvous.status().message()));
  }
  if (!rendezvous.ok()) return WithAddress(name, rendezvous.status());
  absl::StatusOr<std::string> path = rendezvous->SocketPath(name);
  if (!path.ok()) return path.status();
  int error = 0;
  absl::StatusOr<UniqueFd> socket = ConnectAt(*path, name, options, &error);
  if (error == ECONNREFUSED) ListeningName::RemoveStale(name, where);
  return socket;
}

absl::StatusOr<UniqueFd> ConnectToPath(const std::string& path,
                                       const std::string& name,
                                       const LinkOptions& options) {
  int error = 0;
  return ConnectAt(path, name, options, &error);
}

absl::StatusOr<std::unique_ptr<Link>> ReceiveWelcome(UniqueFd socket,
                                                     const std::string& name,
                                                     const LinkOptions& options,
                                                     ReceivedBoard* board) {
  absl::StatusOr<std::unique_ptr<Link>> link =
      MakeLink(std::move(socket), options, board);
  if (!link.ok()) return WithAddress(name, link.status());
  GRPC_SHM_FAULT_POINT(ClientLinked);
  return link;
}

}  // namespace grpc_shm
