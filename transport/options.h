// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_OPTIONS_H_
#define GRPC_SHM_TRANSPORT_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "transport/link/peer_policy.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace grpc_shm {

// How a thread waits for a peer that is about to answer.
//
// To be woken costs some 25 us, and more the longer a core has slept; to wait
// awake costs a core. Nobody waits awake on a machine with one processor.
enum class WaitPolicy {
  // Sleeps at once. Costs nothing but latency.
  kNever = 0,
  // Waits awake for up to 50 us if that has been worth it lately; lets others
  // have the core who can use it. An idle link costs nothing.
  kAdaptive = 1,
  // Waits awake for up to 10 ms, whether that has been worth it or not. The
  // lowest latency, for a core each in both processes. While others crowd the
  // cores it sleeps all the same.
  kBusy = 2,
};

// Channel arguments that CreateChannel understands besides gRPC's own. They are
// integers where nothing else is said; set them with
// grpc::ChannelArguments::SetInt. A value out of range counts as the nearest
// that is in it.
//
// Of gRPC's own arguments these matter to a channel through shared memory: the
// message size limits (with gRPC's defaults). Those about name resolution, load
// balancing, retries, sockets and HTTP/2 have nothing to act upon.

// Capacity of each of a link's two rings, in bytes. A larger ring lets one side
// run further ahead of the other and takes larger metadata: half of it is the
// limit for a call's metadata in each direction. Costs twice its size in memory
// for each link. Default 256 KiB; the server may grant less.
inline constexpr char kRingBytesArg[] = "grpc_shm.ring_bytes";

// What one side of a call may send before the other side's application has
// taken it, in bytes. Costs up to as much memory for each stalled call. Default
// 256 KiB; the server may grant less.
inline constexpr char kWindowBytesArg[] = "grpc_shm.window_bytes";

// How long a server may take to answer the hand-shake, in milliseconds, before
// the attempt counts as failed. A longer time lets calls wait for a server that
// is stopped; a shorter one makes them fail. Default 20,000, as gRPC's.
inline constexpr char kHandshakeTimeoutMsArg[] =
    "grpc_shm.handshake_timeout_ms";

// The largest metadata that a server may send in one block (initial or
// trailing), in bytes: of names and values, and 32 more for each field. A
// larger one fails its call with RESOURCE_EXHAUSTED. Half of a ring is a limit
// besides. Raising it lets a hostile server take some forty times as much
// memory for a moment. Default 128 KiB, sixteen times gRPC's.
inline constexpr char kMaxMetadataBytesArg[] = "grpc_shm.max_metadata_bytes";

// What may have come from the server and not been taken by the application, on
// all calls together, in bytes. One more message fails its call with
// RESOURCE_EXHAUSTED, unless there is no other. Default 1 GiB.
inline constexpr char kMaxBufferedBytesArg[] = "grpc_shm.max_buffered_bytes";

// The longest pause between attempts to reach a server, in milliseconds. A
// server that starts is noticed at once all the same; the timer is a safety
// net. Default 30,000.
inline constexpr char kMaxReconnectBackoffMsArg[] =
    "grpc_shm.max_reconnect_backoff_ms";

// How the channel's callers wait for answers: a WaitPolicy, as integer. Default
// 1, adaptive.
inline constexpr char kWaitPolicyArg[] = "grpc_shm.wait_policy";

// Of a channel to a mailbox: what a call does when the mailbox holds as many as
// it can. 0 (default): it waits for a place, until its deadline. 1: it fails at
// once with RESOURCE_EXHAUSTED. A mailbox of capacity zero counts as full
// unless a server waits for a call at that moment.
inline constexpr char kFailWhenFullArg[] = "grpc_shm.fail_when_full";

// Whether calls take the short path, past gRPC's own call machinery in this
// process: 1 (default) or 0. It is the same to the application; the long way
// takes some microseconds more for each call. Calls with credentials of their
// own, or made for a server's call (FromServerContext), take that in any case.
inline constexpr char kTypedCallsArg[] = "grpc_shm.typed_calls";

// Who may be the channel's server, besides processes of this process's own
// effective user: uids in decimal, separated by commas, as a string
// (grpc::ChannelArguments::SetString). The kernel says who the server is; one
// that is not named here learns nothing of the call. Names are then looked for
// in a shared directory (see ListenerOptions::directory) that belongs to one of
// these users. Default none. A value of another form fails each call with
// INVALID_ARGUMENT.
inline constexpr char kServerUidsArg[] = "grpc_shm.server_uids";

// The directory in which the channel looks for its server's name, an absolute
// path, as a string. Default: see ListenerOptions::directory.
inline constexpr char kDirectoryArg[] = "grpc_shm.directory";

// What a server allows its clients at one address.
struct ListenerOptions {
  // Which processes may be clients, besides those of this process's own
  // effective user. Asked of the kernel when one connects, before anything that
  // it sent is looked at and before it is given any memory. Everybody else is
  // told PERMISSION_DENIED. Default: nobody.
  //
  // With others admitted the name is in a shared directory, which has to exist,
  // belong to this user, and let the others search it: mode 0711, or 0755 to
  // let them list it as well. (Clients that may not list it notice a server
  // that starts after them by trying again: see kMaxReconnectBackoffMsArg.)
  // Nobody but its owner may write in it.
  PeerPolicy peer_policy;

  // The directory of the name, an absolute path; clients need the same, by
  // kDirectoryArg or as follows. Default: $GRPC_SHM_DIR, else
  // $XDG_RUNTIME_DIR/grpc-shm, else grpc-shm-UID in $TMPDIR or /tmp; of which
  // clients of another user can only have the first in common with this.
  std::string directory;

  // Capacity of each of a link's two rings, in bytes, for clients that ask for
  // nothing else, and the most they may ask for. A link costs this process
  // twice the capacity, taken when it is made.
  size_t ring_bytes = size_t{256} << 10;
  size_t max_ring_bytes = size_t{64} << 20;

  // The same for the window of each call and direction, in bytes. A call whose
  // handler does not read costs as much.
  uint32_t window_bytes = uint32_t{256} << 10;
  uint32_t max_window_bytes = uint32_t{64} << 20;

  // Links at one time; one more is refused with RESOURCE_EXHAUSTED. A link
  // costs memory (see above) and three descriptors in each process.
  size_t max_links = 4096;

  // The same for the links of one user.
  size_t max_links_per_user = 4096;

  // The memory of all links together, in bytes. What is left is the most that a
  // client may ask for; when nothing is, it is refused with RESOURCE_EXHAUSTED.
  size_t max_link_bytes = size_t{4} << 30;

  // Clients that have connected and said nothing yet. One more has the oldest
  // of them dropped, so that those who say nothing keep nobody out. Each costs
  // a descriptor.
  size_t max_handshakes = 1024;

  // Calls open at one time on one link. One more is refused with
  // RESOURCE_EXHAUSTED. So is each while there are twice as many with those
  // that their client has cancelled and whose handlers still run.
  size_t max_calls_per_link = 100000;

  // The largest metadata of a call, in bytes: of names and values, and 32 more
  // for each field. A larger one fails its call with RESOURCE_EXHAUSTED. Half
  // of a ring is a limit besides. Raising it lets a hostile client take some
  // forty times as much memory for a moment. The default is sixteen times
  // gRPC's.
  size_t max_metadata_bytes = size_t{128} << 10;

  // Messages that have come over one link and that no handler has taken yet,
  // with those that are being put together, in bytes. One more fails its call
  // with RESOURCE_EXHAUSTED, unless there is no other.
  size_t max_buffered_bytes_per_link = size_t{1} << 30;

  // How long a client that has connected may take to say what it wants, before
  // it is dropped.
  absl::Duration handshake_timeout = absl::Seconds(5);

  // The largest message, in bytes, that is put together for a handler; -1: any.
  // A larger one fails its call with RESOURCE_EXHAUSTED before it costs memory.
  // The server's own limit holds besides.
  int64_t max_receive_message_bytes = -1;

  // The largest message, in bytes, that a handler which runs inline may send;
  // -1: any. ServerBuilder fills this in from SetMaxSendMessageSize. A server
  // that is attached to enforces its own for all other handlers.
  int64_t max_send_message_bytes = -1;

  // Clients that may wait to be accepted, as in listen(2).
  int backlog = 1024;

  // How the threads that serve the links wait for requests.
  WaitPolicy wait_policy = WaitPolicy::kAdaptive;

  // Runs the handlers of synchronous services on the very thread that has read
  // the request, where that is sound: see docs/architecture.md, and stats() for
  // which services it is and why others not.
  bool inline_dispatch = true;

  // Listener::Attach alone: the services of the server that may be run so.
  // ServerBuilder knows its own.
  std::vector<grpc::Service*> inline_services;

  // Of a mailbox: calls that this process serves at one time. It takes the next
  // when one has ended, so others can have it that are free. Raise it for
  // handlers that wait more than they work, and for streams that stay open:
  // each takes a place (and a thread, if it runs inline) as long as it lasts.
  size_t max_mailbox_calls = 1;

  // Handlers that may run so at one time: each has a thread. One more call is
  // refused with RESOURCE_EXHAUSTED.
  size_t max_inline_handlers = 10000;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_OPTIONS_H_
