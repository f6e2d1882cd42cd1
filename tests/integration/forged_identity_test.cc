// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A client that wants to be somebody else: with metadata of its stub, over
// every kind of connection; and by hand, with whatever a link can carry.

#include <poll.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "grpcpp/security/server_credentials.h"
#include "proto/wire.pb.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/transport_test.h"
#include "tests/unit/call/recording_handlers.h"
#include "transport/call/session.h"
#include "transport/link/handshake.h"
#include "transport/peer_identity.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {
namespace {

constexpr char kKey[] = "grpc-shm-peer";  // see peer_registry.h
constexpr char kMethod[] = "/grpc_shm.testing.AdditionService/Add";

// Answers with the caller's pid, or -1; and gives away, as "seen", what it
// finds under the key that is the bridge's own.
class Who : public AdditionService::Service {
  grpc::Status Add(grpc::ServerContext* context, const AddRequest*,
                   AddReply* reply) override {
    const absl::StatusOr<PeerIdentity> peer = PeerIdentity::From(*context);
    reply->set_sum(peer.ok() ? peer->pid : -1);
    const auto [begin, end] = context->client_metadata().equal_range(kKey);
    for (auto it = begin; it != end; ++it) {
      context->AddTrailingMetadata(
          "seen", std::string(it->second.data(), it->second.size()));
    }
    return grpc::Status::OK;
  }
};

struct Sight {
  int64_t pid = 0;
  std::vector<std::string> seen;
};

class ForgedIdentityTest : public ::testing::Test {
 protected:
  ForgedIdentityTest() {
    ListenerOptions universal;
    universal.inline_dispatch = false;
    ServerBuilder builder;
    builder.Listen(inline_)
        .Listen(universal_, universal)
        .AddListeningPort(unix_, grpc::InsecureServerCredentials())
        .AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                          &tcp_port_)
        .RegisterService(&service_);
    absl::Status error;
    server_ = builder.BuildAndStart(&error);
    EXPECT_NE(server_, nullptr) << error;
  }

  // With that metadata, by a stub.
  Sight Call(const ChannelPtr& channel,
             const std::vector<std::pair<std::string, std::string>>& metadata) {
    auto context = NewContext();
    for (const auto& [key, value] : metadata) context->AddMetadata(key, value);
    AddReply reply;
    EXPECT_THAT(AdditionService::NewStub(channel)->Add(context.get(),
                                                       AddRequest(), &reply),
                IsOk());
    Sight sight;
    sight.pid = reply.sum();
    const auto [begin, end] =
        context->GetServerTrailingMetadata().equal_range("seen");
    for (auto it = begin; it != end; ++it) {
      sight.seen.emplace_back(it->second.data(), it->second.size());
    }
    return sight;
  }

  // The same, by hand: nothing of ours looks at the metadata before it is in
  // the ring.
  Sight CallByHand(
      const std::string& address,
      const std::vector<std::pair<std::string, std::string>>& metadata) {
    const std::string name = address.substr(4);
    absl::StatusOr<UniqueFd> socket = grpc_shm::Connect(name, LinkOptions());
    EXPECT_TRUE(socket.ok()) << socket.status();
    pollfd answer = {socket->get(), POLLIN, 0};
    EXPECT_EQ(poll(&answer, 1, -1), 1);
    absl::StatusOr<std::unique_ptr<Link>> link =
        ReceiveWelcome(*std::move(socket), name, LinkOptions());
    EXPECT_TRUE(link.ok()) << link.status();
    SessionOptions options;
    options.address = address;
    const auto owner = std::make_shared<RecordingSession>();
    absl::StatusOr<std::shared_ptr<Session>> session =
        Session::Start(*std::move(link), options, owner);
    EXPECT_TRUE(session.ok()) << session.status();
    wire::CallStart start;
    start.set_method(kMethod);
    for (const auto& [key, value] : metadata) {
      wire::Metadatum* const field = start.add_metadata();
      field->set_key(key);
      field->set_value(value);
    }
    const auto handler = std::make_shared<RecordingCall>();
    absl::StatusOr<std::shared_ptr<grpc_shm::Call>> call =
        (*session)->StartCall(start, handler);
    EXPECT_TRUE(call.ok()) << call.status();
    handler->Attach(*call);
    (*call)->SendMessage(ToMessage(AddRequest().SerializeAsString()));
    (*call)->SendHalfClose();
    (*call)->Flush();
    Sight sight;
    for (;;) {
      absl::optional<Received> item = handler->Next();
      EXPECT_TRUE(item.has_value());
      if (!item.has_value()) break;
      if (auto* const message = absl::get_if<ReceivedMessage>(&*item)) {
        AddReply reply;
        EXPECT_TRUE(reply.ParseFromArray(message->data(),
                                         static_cast<int>(message->size())));
        sight.pid = reply.sum();
        (*call)->MessageConsumed();
      } else if (auto* const end = absl::get_if<wire::Trailers>(&*item)) {
        EXPECT_EQ(end->code(), 0) << end->message();
        for (const wire::Metadatum& field : end->metadata()) {
          if (field.key() == "seen") sight.seen.push_back(field.value());
        }
        break;
      }
    }
    (*session)->Close(absl::CancelledError("enough"));
    return sight;
  }

  // What stands for a genuine link of ours: a forger's best guess.
  std::string GenuineSecret(const ChannelPtr& channel) {
    const Sight sight = Call(channel, {});
    EXPECT_EQ(sight.pid, getpid());
    EXPECT_EQ(sight.seen.size(), 1u);
    return sight.seen.empty() ? "" : sight.seen[0];
  }

  const std::string inline_ = NewAddress(Transport::kShm);
  const std::string universal_ = NewAddress(Transport::kShm);
  const std::string unix_ = NewAddress(Transport::kUnix);
  int tcp_port_ = 0;
  Who service_;
  std::unique_ptr<Server> server_;
};

TEST_F(ForgedIdentityTest, OverSocketsNobodyIsBelieved) {
  for (const std::string& shm : {inline_, universal_}) {
    const ChannelPtr genuine = MakeChannel(shm);
    const std::string secret = GenuineSecret(genuine);
    for (const std::string& address :
         {unix_, absl::StrCat("127.0.0.1:", tcp_port_)}) {
      SCOPED_TRACE(address);
      const Sight sight = Call(MakeChannel(address), {{kKey, secret}});
      EXPECT_EQ(sight.pid, -1);
      // It did arrive.
      EXPECT_EQ(sight.seen, std::vector<std::string>{secret});
    }
  }
}

TEST_F(ForgedIdentityTest, AStubsMetadataDoesNotReachTheServer) {
  for (const std::string& address : {inline_, universal_}) {
    const ChannelPtr other = MakeChannel(address);
    const std::string secret = GenuineSecret(other);
    for (int typed : {0, 1}) {
      grpc::ChannelArguments arguments;
      arguments.SetInt(kTypedCallsArg, typed);
      const ChannelPtr channel = MakeChannel(address, arguments);
      const std::string own = GenuineSecret(channel);
      EXPECT_NE(own, secret);
      const Sight sight =
          Call(channel, {{kKey, secret}, {"grpc-shm-peer-bin", secret}});
      EXPECT_EQ(sight.pid, getpid());
      EXPECT_EQ(sight.seen, std::vector<std::string>{own});
    }
  }
}

TEST_F(ForgedIdentityTest, NorDoesWhatIsWrittenIntoTheRing) {
  for (const std::string& address : {inline_, universal_}) {
    const ChannelPtr other = MakeChannel(address);
    const std::string secret = GenuineSecret(other);
    for (const std::string& key :
         {std::string(kKey), std::string("Grpc-Shm-Peer"),
          std::string("GRPC-SHM-PEER"), std::string(" grpc-shm-peer"),
          std::string("grpc-shm-peer "), std::string("grpc-shm-peer\0", 14),
          std::string("\0grpc-shm-peer", 14), std::string("grpc-shm-peer:"),
          std::string("\xffgrpc-shm-peer")}) {
      SCOPED_TRACE(key);
      const Sight sight = CallByHand(
          address, {{key, secret}, {key, "made up"}, {"x", "harmless"}});
      EXPECT_EQ(sight.pid, getpid());
      ASSERT_EQ(sight.seen.size(), 1u);
      EXPECT_NE(sight.seen[0], secret);
      EXPECT_NE(sight.seen[0], "made up");
    }
  }
}

// Whoever had the link is gone, and so is what stood for it.
TEST_F(ForgedIdentityTest, ASecretDiesWithItsLink) {
  ChannelPtr channel = MakeChannel(inline_);
  const std::string secret = GenuineSecret(channel);
  channel.reset();
  const ChannelPtr in_process = server_->InProcessChannel({});
  // gRPC's in-process channel is the owner's own, and might be believed.
  const absl::Time end = absl::Now() + kPatience;
  int64_t pid;
  do {
    pid = Call(in_process, {{kKey, secret}}).pid;
  } while (pid != -1 && absl::Now() < end);
  EXPECT_EQ(pid, -1);
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
