// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_CHANNEL_H_
#define GRPC_SHM_TRANSPORT_CHANNEL_H_

#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>

namespace grpc_shm {

// A channel to any kind of address. Give it to a generated stub:
//
//   auto stub = Greeter::NewStub(grpc_shm::CreateChannel("shm:greeter"));
//
// `target` "shm:NAME": the server of this user and machine that listens on that
// name, through shared memory. NAME is 1 to 64 characters of A-Z a-z 0-9 . _ -
// and does not start with a dot. `creds` do not matter: the kernel tells each
// side who the other is, and another user's process is refused, unless both
// sides admit it (kServerUidsArg, ListenerOptions::peer_policy). `args`: see
// transport/options.h.
//
// `target` "mailbox:NAME": whichever server takes calls from that mailbox (see
// transport/mailbox.h, and docs/mailbox-calls.md). Calls wait in it until a
// server is free. It is READY while the mailbox exists.
//
// Any other `target` goes to grpc::CreateCustomChannel with `creds` (null:
// insecure) and `args`, so that an address is mere configuration.
//
// The channel is lazy, as gRPC's: it needs no server to be created, connects
// when a call or GetState(true) wants it, reconnects by itself, and outlives
// any number of restarts of its server. Its calls fail, besides with what the
// server says, with
//   INVALID_ARGUMENT     the target is no address (at once, whatever the call);
//   UNAVAILABLE          nobody listens, or the server died during the call;
//                        there is no such mailbox, or it was destroyed;
//   PERMISSION_DENIED    the server is another user, or does not admit us;
//   FAILED_PRECONDITION  the server speaks another version of the protocol;
//   RESOURCE_EXHAUSTED   no memory or descriptors are left, here or there; or a
//                        limit is exceeded.
// Calls with wait_for_ready wait, up to their deadline, until a link can be
// made.
//
// Threads: any, for the function and for the channel, also those that run
// callbacks and handlers. A call outlives its channel. A channel may live until
// the process ends, with calls open, however it ends.
//
// fork: a child forked from a process that had a channel or a server of
// grpc-shm can use neither: calls fail with FAILED_PRECONDITION, channels and
// servers can be destroyed, and the parent notices nothing. As gRPC itself does
// not survive a fork (its threads are not copied, its locks are as they were),
// that takes a parent whose other threads are not inside of gRPC at that
// moment, and no callback is ever called. To use grpc-shm, exec a program in
// the child, or fork before the first use.
std::shared_ptr<grpc::ChannelInterface> CreateChannel(
    const std::string& target,
    const std::shared_ptr<grpc::ChannelCredentials>& creds = nullptr,
    const grpc::ChannelArguments& args = grpc::ChannelArguments());

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_CHANNEL_H_
