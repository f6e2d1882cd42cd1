// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_HANDSHAKE_H_
#define GRPC_SHM_TRANSPORT_LINK_HANDSHAKE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "transport/base/unique_fd.h"
#include "transport/link/link.h"
#include "transport/link/link_options.h"
#include "transport/link/rendezvous.h"

namespace grpc_shm {

// How two processes get a link.
//
//   client                                     server
//   Connect()         -- connect, Hello -->    Accept(), then, once readable,
//   once readable,    <-- Welcome + memfd,     AnswerHello()
//   ReceiveWelcome()      two doorbells --
//
// Nothing here ever waits: the caller watches the descriptors (Accept: the
// listening socket; the others: the socket that the first half returned, for
// reading) and decides how long a silent peer may take.
//
// Each side asks the kernel who the other one is (SO_PEERCRED) before it looks
// at anything the other one sent and before it passes anything but Hello, and
// makes no memory and no descriptor for whom its LinkOptions::peers does not
// admit.
//
// Failures, on both sides and with messages that name "shm:NAME" and the way
// out: PERMISSION_DENIED the peer is not admitted; FAILED_PRECONDITION it
// speaks another version of the protocol, or their limits exclude each other;
// RESOURCE_EXHAUSTED one of them has no memory, address space or descriptors
// left; INVALID_ARGUMENT it did not speak the protocol at all; UNAVAILABLE it
// is not there, or not any more. What a server finds wrong it also tells the
// client, whose ReceiveWelcome then fails with the same code.
//
// Free functions without state: any thread.

// What goes with a Welcome where its sender offers calls through a mailbox: a
// board on which they are claimed (transport/call/offer_board.h), and the
// link's number there, not 0. The descriptor stays the caller's.
struct BoardPass {
  int board;
  uint16_t link;
};
struct ReceivedBoard {
  UniqueFd board;
  uint16_t link = 0;
};

// Client: connects to the server of `name` (a valid NAME, see address.h) and
// sends Hello. The socket becomes readable when the server has answered. Fails
// at once, with UNAVAILABLE, when nobody listens or too many clients wait.
absl::StatusOr<UniqueFd> Connect(const std::string& name,
                                 const LinkOptions& options);

// Client: whether that is why Connect() failed: the server is there, and has as
// many clients waiting as it allows (ListenerOptions::backlog). A place is free
// as soon as it accepts one, which nobody tells of.
bool IsCrowded(const absl::Status& status);

// The same for a socket without a name of that kind; `name` is for messages.
absl::StatusOr<UniqueFd> ConnectToPath(const std::string& path,
                                       const std::string& name,
                                       const LinkOptions& options);

// Client: reads the answer from the socket that Connect() returned, which is
// readable. Takes the socket; it lives on in the link or is closed. `board` is
// given where one must come with it.
absl::StatusOr<std::unique_ptr<Link>> ReceiveWelcome(
    UniqueFd socket, const std::string& name, const LinkOptions& options,
    ReceivedBoard* board = nullptr);

// Where a client with these options looks for names: whom it admits as its
// server may own the directory.
RendezvousOptions ClientRendezvous(const LinkOptions& options);

// Server: PERMISSION_DENIED for a client that was accepted and is not admitted.
// AnswerHello asks anyway; this is for sooner.
absl::Status CheckClient(const UniqueFd& socket, const LinkOptions& options);

// Server: the next client that waits at `listening_fd`; UNAVAILABLE when none
// does (any more), RESOURCE_EXHAUSTED when this process can have no more
// descriptors: the client then goes on waiting, and the listening socket stays
// readable.
absl::StatusOr<UniqueFd> Accept(int listening_fd);

// Server: reads the Hello from the socket that Accept() returned, which is
// readable, and answers it. Takes the socket; it lives on in the link or is
// closed.
absl::StatusOr<std::unique_ptr<Link>> AnswerHello(
    UniqueFd socket, const std::string& name, const LinkOptions& options,
    const BoardPass* board = nullptr);

// Server: tells a client that was accepted why it gets no link, as well as that
// is possible: one that has gone, or does not read, will not miss it.
void Refuse(const UniqueFd& socket, const absl::Status& status,
            const LinkOptions& options);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_HANDSHAKE_H_
