// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/handshake.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/link/process_resources.h"
#include "tests/unit/link/temporary_rendezvous.h"
#include "transport/link/listening_name.h"
#include "transport/link/socket_address.h"

namespace grpc_shm {
namespace {

using ::testing::AllOf;
using testing::ChildProcess;
using testing::Conversation;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ProcessResources;
using testing::TemporaryRendezvous;

constexpr int kBacklog = 8;

using LinkOr = absl::StatusOr<std::unique_ptr<Link>>;

std::string MessageOf(const absl::Status& status) {
  return std::string(status.message());
}

// What both sides got of one hand-shake.
struct Outcome {
  LinkOr client;
  LinkOr server;
};

// A server of shm:greeter, and clients, all in one process.
class HandshakeTest : public ::testing::Test {
 protected:
  void Serve() {
    absl::StatusOr<std::unique_ptr<ListeningName>> name =
        ListeningName::Acquire("greeter", kBacklog);
    ASSERT_TRUE(name.ok()) << name.status();
    listening_ = *std::move(name);
  }

  Outcome ShakeHands(const LinkOptions& client, const LinkOptions& server) {
    absl::StatusOr<UniqueFd> connected = Connect("greeter", client);
    if (!connected.ok()) return {connected.status(), connected.status()};
    absl::StatusOr<UniqueFd> accepted = Accept(listening_->fd());
    if (!accepted.ok()) return {accepted.status(), accepted.status()};
    LinkOr server_end = AnswerHello(*std::move(accepted), "greeter", server);
    LinkOr client_end =
        ReceiveWelcome(*std::move(connected), "greeter", client);
    return {std::move(client_end), std::move(server_end)};
  }

  TemporaryRendezvous temporary_;
  std::unique_ptr<ListeningName> listening_;
};

void SendText(Link& link, const std::string& text) {
  std::byte* payload = link.producer().TryReserve(text.size());
  ASSERT_NE(payload, nullptr);
  std::memcpy(payload, text.data(), text.size());
  link.producer().Commit({static_cast<uint32_t>(text.size()), 1, 0, 0, 7});
  link.producer().Publish();
}

std::string ReceiveText(Link& link) {
  RecordHeader header;
  const std::byte* payload;
  if (link.consumer().Peek(&header, &payload) != RingConsumer::Next::kRecord) {
    return "(none)";
  }
  std::string text(reinterpret_cast<const char*>(payload), header.length);
  link.consumer().Pop();
  link.consumer().Release();
  return text;
}

TEST_F(HandshakeTest, BothSidesGetALinkAndKnowEachOther) {
  Serve();
  Outcome outcome = ShakeHands(LinkOptions(), LinkOptions());
  ASSERT_TRUE(outcome.client.ok()) << outcome.client.status();
  ASSERT_TRUE(outcome.server.ok()) << outcome.server.status();
  Link& client = **outcome.client;
  Link& server = **outcome.server;
  for (Link* link : {&client, &server}) {
    EXPECT_EQ(link->peer().uid, geteuid());
    EXPECT_EQ(link->peer().gid, getegid());
    EXPECT_EQ(link->peer().pid, getpid());
    EXPECT_EQ(link->window_bytes(), LinkOptions().window_bytes);
    EXPECT_EQ(link->ring_bytes(), LinkOptions().ring_bytes);
    EXPECT_EQ(link->producer().max_payload(), link->ring_bytes() / 2 - 16);
  }
  SendText(client, "there");
  SendText(server, "and back");
  EXPECT_EQ(ReceiveText(server), "there");
  EXPECT_EQ(ReceiveText(client), "and back");
  EXPECT_EQ(ReceiveText(server), "(none)");
  EXPECT_EQ(ReceiveText(client), "(none)");
}

TEST_F(HandshakeTest, LinksLeaveNothingBehind) {
  const ProcessResources before = ProcessResources::Now();
  Serve();
  {
    std::vector<Outcome> outcomes;
    for (int i = 0; i < 10; ++i) {
      outcomes.push_back(ShakeHands(LinkOptions(), LinkOptions()));
      ASSERT_TRUE(outcomes.back().client.ok());
    }
    EXPECT_GT(ProcessResources::Now().segment_mappings, 0u);
  }
  listening_.reset();
  EXPECT_EQ(ProcessResources::Now(), before);
  EXPECT_THAT(temporary_.Files(), ElementsAre("greeter.lock"));
}

TEST_F(HandshakeTest, ALinkHoldsThreeDescriptorsAndNotItsSegments) {
  Serve();
  const ProcessResources before = ProcessResources::Now();
  Outcome outcome = ShakeHands(LinkOptions(), LinkOptions());
  ASSERT_TRUE(outcome.client.ok()) << outcome.client.status();
  EXPECT_EQ(ProcessResources::Now().descriptors, before.descriptors + 2 * 3);
}

TEST_F(HandshakeTest, AHangUpIsSeenOnTheControlSocket) {
  Serve();
  Outcome outcome = ShakeHands(LinkOptions(), LinkOptions());
  ASSERT_TRUE(outcome.client.ok()) << outcome.client.status();
  pollfd control = {(*outcome.client)->control_fd(), POLLIN | POLLRDHUP, 0};
  EXPECT_EQ(poll(&control, 1, /*timeout=*/0), 0);
  outcome.server = absl::CancelledError();
  EXPECT_EQ(poll(&control, 1, /*timeout=*/0), 1);
  EXPECT_NE(control.revents & POLLRDHUP, 0);
}

TEST_F(HandshakeTest, TheServerClampsAndRoundsWhatTheClientWants) {
  Serve();
  LinkOptions client;
  client.ring_bytes = 100 << 10;
  client.window_bytes = 1;
  Outcome outcome = ShakeHands(client, LinkOptions());
  ASSERT_TRUE(outcome.client.ok()) << outcome.client.status();
  for (Link* link : {outcome.client->get(), outcome.server->get()}) {
    EXPECT_EQ(link->ring_bytes(), size_t{128} << 10);
    EXPECT_EQ(link->window_bytes(), LinkOptions().min_window_bytes);
  }
}

TEST_F(HandshakeTest, AClientRefusesMoreThanItsOwnLimits) {
  Serve();
  LinkOptions client;
  client.max_ring_bytes = 64 << 10;
  LinkOptions server;
  server.min_ring_bytes = 128 << 10;
  Outcome outcome = ShakeHands(client, server);
  EXPECT_EQ(outcome.client.status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(outcome.client.status()),
              AllOf(HasSubstr("shm:greeter"), HasSubstr("max_ring_bytes")));

  client = LinkOptions();
  client.max_window_bytes = 1000;
  outcome = ShakeHands(client, LinkOptions());
  EXPECT_EQ(outcome.client.status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(outcome.client.status()),
              HasSubstr("max_window_bytes"));
}

TEST_F(HandshakeTest, VersionsThatDifferAreNamedOnBothSides) {
  Serve();
  LinkOptions older;
  older.protocol_version = 6;
  LinkOptions newer;
  newer.protocol_version = 7;
  const ProcessResources before = ProcessResources::Now();
  for (bool client_is_older : {true, false}) {
    const Outcome outcome =
        client_is_older ? ShakeHands(older, newer) : ShakeHands(newer, older);
    const std::string both = client_is_older
                                 ? "the client speaks version 6 of the "
                                   "grpc-shm protocol and the server version 7"
                                 : "the client speaks version 7 of the "
                                   "grpc-shm protocol and the server version 6";
    for (const absl::Status& status :
         {outcome.client.status(), outcome.server.status()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
      EXPECT_THAT(MessageOf(status),
                  AllOf(HasSubstr("shm:greeter"), HasSubstr(both)));
    }
  }
  EXPECT_EQ(ProcessResources::Now(), before);
}

TEST_F(HandshakeTest, NobodyListeningIsUnavailableWithTheWayOut) {
  const absl::Status status = Connect("greeter", LinkOptions()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(status),
              AllOf(HasSubstr("shm:greeter"), HasSubstr("nobody is listening"),
                    HasSubstr(temporary_.Path("greeter.sock")),
                    HasSubstr("start the server"), HasSubstr("GRPC_SHM_DIR")));
}

TEST_F(HandshakeTest, WhoFindsAKilledServersSocketRemovesIt) {
  ChildProcess server([](Conversation& parent) {
    absl::StatusOr<std::unique_ptr<ListeningName>> name =
        ListeningName::Acquire("greeter", kBacklog);
    parent.Say("serving");
    parent.Hear();
  });
  ASSERT_EQ(server.conversation().Hear(), "serving");
  server.Kill();
  const absl::Status status = Connect("greeter", LinkOptions()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(status), HasSubstr("nobody is listening"));
  EXPECT_THAT(temporary_.Files(), ElementsAre("greeter.lock"));
}

TEST_F(HandshakeTest, AFullBacklogIsUnavailableAndNotAWait) {
  Serve();
  std::vector<UniqueFd> waiting;
  absl::Status status;
  while (status.ok() && waiting.size() < 100) {
    absl::StatusOr<UniqueFd> fd = Connect("greeter", LinkOptions());
    status = fd.status();
    if (fd.ok()) waiting.push_back(*std::move(fd));
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(status), HasSubstr("too many clients wait"));
}

TEST_F(HandshakeTest, AnotherKindOfSocketIsNoServer) {
  UniqueFd stream(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = SocketAddress(temporary_.Path("greeter.sock"));
  ASSERT_EQ(bind(stream.get(), reinterpret_cast<const sockaddr*>(&address),
                 sizeof(address)),
            0);
  ASSERT_EQ(listen(stream.get(), 1), 0);
  EXPECT_EQ(Connect("greeter", LinkOptions()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(HandshakeTest, NobodyToAcceptIsUnavailable) {
  Serve();
  EXPECT_EQ(Accept(listening_->fd()).status().code(),
            absl::StatusCode::kUnavailable);
}

// Accepts while this process can have no more descriptors.
absl::StatusCode CodeOfAcceptingWithoutDescriptors(int listening_fd) {
  rlimit limit;
  EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlimit none = limit;
  none.rlim_cur = static_cast<rlim_t>(UniqueFd(dup(listening_fd)).get());
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const absl::StatusCode code = Accept(listening_fd).status().code();
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  return code;
}

TEST_F(HandshakeTest, OnlyForAClientDescriptorsAreMissed) {
  Serve();
  EXPECT_EQ(CodeOfAcceptingWithoutDescriptors(listening_->fd()),
            absl::StatusCode::kUnavailable);
  absl::StatusOr<UniqueFd> connected = Connect("greeter", LinkOptions());
  ASSERT_TRUE(connected.ok()) << connected.status();
  EXPECT_EQ(CodeOfAcceptingWithoutDescriptors(listening_->fd()),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Accept(listening_->fd()).ok());
}

TEST_F(HandshakeTest, AClientThatGivesUpIsUnavailableToTheServer) {
  Serve();
  const ProcessResources before = ProcessResources::Now();
  { ASSERT_TRUE(Connect("greeter", LinkOptions()).ok()); }
  absl::StatusOr<UniqueFd> accepted = Accept(listening_->fd());
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  EXPECT_EQ(AnswerHello(*std::move(accepted), "greeter", LinkOptions())
                .status()
                .code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(ProcessResources::Now(), before);
}

TEST_F(HandshakeTest, AServerThatDiesBeforeItAnswersIsUnavailable) {
  Serve();
  absl::StatusOr<UniqueFd> connected = Connect("greeter", LinkOptions());
  ASSERT_TRUE(connected.ok()) << connected.status();
  { ASSERT_TRUE(Accept(listening_->fd()).ok()); }
  const absl::Status status =
      ReceiveWelcome(*std::move(connected), "greeter", LinkOptions()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(status), HasSubstr("shm:greeter"));
}

TEST_F(HandshakeTest, AClientThatIsTurnedAwayLearnsWhy) {
  Serve();
  absl::StatusOr<UniqueFd> connected = Connect("greeter", LinkOptions());
  ASSERT_TRUE(connected.ok()) << connected.status();
  absl::StatusOr<UniqueFd> accepted = Accept(listening_->fd());
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  // Its Hello stays unread.
  Refuse(*accepted, absl::UnavailableError("shutting down"), LinkOptions());
  accepted->reset();
  const absl::Status status =
      ReceiveWelcome(*std::move(connected), "greeter", LinkOptions()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(status), HasSubstr("shutting down"));
}

TEST_F(HandshakeTest, AServerThatStopsListeningIsUnavailableToWhoWaits) {
  Serve();
  absl::StatusOr<UniqueFd> connected = Connect("greeter", LinkOptions());
  ASSERT_TRUE(connected.ok()) << connected.status();
  listening_.reset();
  EXPECT_EQ(ReceiveWelcome(*std::move(connected), "greeter", LinkOptions())
                .status()
                .code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace grpc_shm
