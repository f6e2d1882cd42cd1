// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/peer_identity.h"

#include <unistd.h>

#include "absl/status/status.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

constexpr int kNotFound = static_cast<int>(absl::StatusCode::kNotFound);

std::unique_ptr<TestServer> StartServer(ServiceFlavour flavour,
                                        std::string* socket) {
  const std::string address = NewAddress(Transport::kShm);
  *socket = NewAddress(Transport::kUnix);
  ServerConfig config;
  config.set_flavour(flavour);
  config.add_addresses(address);
  config.add_addresses(*socket);
  auto server = TestServer::Start(Transport::kShm, config);
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

ContextReport Report(const ChannelPtr& channel, grpc::ClientContext* context,
                     CallKind kind = UNARY) {
  AddScript(MakeScript("k", {ReportContext()}), context);
  auto call = StartCall(StubFlavour::kSync, kind, channel, context);
  EchoReply reply;
  EXPECT_TRUE(call->Read(&reply));
  EXPECT_THAT(call->Finish(), IsOk());
  return reply.context();
}

TEST(PeerIdentityTest, IsTheClientsAsTheKernelKnowsIt) {
  for (ServiceFlavour flavour :
       {SYNC, ASYNC, CALLBACK, ASYNC_GENERIC, CALLBACK_GENERIC}) {
    std::string socket;
    auto server = StartServer(flavour, &socket);
    ChannelPtr channel = server->NewChannel({});
    for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
      const ContextReport report = Report(channel, NewContext().get(), kind);
      EXPECT_EQ(report.identity_code(), 0);
      EXPECT_EQ(report.peer_pid(), getpid());
      EXPECT_EQ(report.peer_uid(), geteuid());
    }
  }
}

TEST(PeerIdentityTest, IsNotFoundForACallThatCameAnotherWay) {
  std::string socket;
  auto server = StartServer(SYNC, &socket);
  EXPECT_EQ(Report(MakeChannel(socket), NewContext().get()).identity_code(),
            kNotFound);
}

// Whatever the bridge uses to mark a call, a client can't write it itself: not
// over a socket, where it would be believed, nor over shm, where it would be
// believed instead of the truth.
TEST(PeerIdentityTest, CannotBeForgedWithMetadata) {
  std::string socket;
  auto server = StartServer(SYNC, &socket);
  ChannelPtr direct = server->NewChannel({});
  ChannelPtr plain = MakeChannel(socket);
  // What a server sees of a genuine call is what a forger would copy.
  const ContextReport genuine = Report(direct, NewContext().get());
  for (const Metadatum& seen : genuine.client_metadata()) {
    if (seen.key() == "user-agent") continue;
    SCOPED_TRACE(seen.key());
    auto forged = NewContext();
    forged->AddMetadata(seen.key(), seen.value());
    EXPECT_EQ(Report(plain, forged.get()).identity_code(), kNotFound);
  }
  for (const char* key :
       {"grpc-shm-peer", "grpc-shm-peer-bin", "grpc_shm.peer",
        "grpc-shm-identity", "grpc-shm-identity-bin", "x-grpc-shm-peer-bin"}) {
    for (const ChannelPtr& channel : {direct, plain}) {
      auto forged = NewContext();
      forged->AddMetadata(key, "1");
      const ContextReport report = Report(channel, forged.get());
      if (channel == plain) {
        EXPECT_EQ(report.identity_code(), kNotFound) << key;
      } else {
        EXPECT_EQ(report.peer_pid(), getpid()) << key;
      }
    }
  }
}

TEST(PeerIdentityTest, BelongsToEachCallOfMany) {
  std::string socket;
  auto server = StartServer(CALLBACK, &socket);
  ChannelPtr direct = server->NewChannel({});
  ChannelPtr plain = MakeChannel(socket);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(Report(direct, NewContext().get()).peer_pid(), getpid());
    EXPECT_EQ(Report(plain, NewContext().get()).identity_code(), kNotFound);
  }
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
