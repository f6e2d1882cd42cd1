// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Whom a PeerPolicy admits: real processes of several users, in a directory
// that is shared for the purpose.

#include "transport/link/peer_policy.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/link/other_user.h"
#include "tests/unit/link/temporary_rendezvous.h"
#include "transport/link/handshake.h"
#include "transport/link/handshake_messages.h"
#include "transport/link/listening_name.h"
#include "transport/link/packet.h"
#include "transport/link/peer_credentials.h"
#include "transport/link/socket_address.h"

namespace grpc_shm {
namespace {

using ::testing::AllOf;
using testing::Become;
using testing::CanBecomeOthers;
using testing::ChildProcess;
using testing::Conversation;
using ::testing::HasSubstr;
using testing::kAlice;
using testing::kBob;
using testing::RunInChild;
using testing::TemporaryRendezvous;

constexpr int kHangMilliseconds = 30000;

// A user with an id and supplementary groups.
struct User {
  uid_t id;
  std::vector<gid_t> groups;
};

PeerPolicy Uids(std::vector<uid_t> uids) { return {std::move(uids), {}}; }
PeerPolicy Gids(std::vector<gid_t> gids) { return {{}, std::move(gids)}; }

void Send(Link& link, const char* text) {
  const uint32_t bytes = static_cast<uint32_t>(std::strlen(text));
  std::byte* const payload = link.producer().TryReserve(bytes);
  ASSERT_NE(payload, nullptr);
  std::memcpy(payload, text, bytes);
  link.producer().Commit({bytes, /*type=*/1, 0, 0, /*call_id=*/1});
  if (link.producer().Publish()) link.RingDoorbell();
}

std::string Receive(Link& link) {
  const UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLET;
  EXPECT_EQ(epoll_ctl(epoll.get(), EPOLL_CTL_ADD, link.doorbell_fd(), &event),
            0);
  RecordHeader header = {};
  const std::byte* payload = nullptr;
  while (link.consumer().Peek(&header, &payload) ==
         RingConsumer::Next::kEmpty) {
    if (link.consumer().Arm() &&
        epoll_wait(epoll.get(), &event, 1, kHangMilliseconds) != 1) {
      return "a wake-up is lost";
    }
  }
  return std::string(reinterpret_cast<const char*>(payload), header.length);
}

// The server is this process, of root; clients are its children.
class PeerPolicyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CanBecomeOthers()) GTEST_SKIP() << "needs root to become other users";
    ASSERT_EQ(chmod(temporary_.directory().c_str(), 0711), 0);
  }

  static LinkOptions ServerOptions(const PeerPolicy& policy) {
    LinkOptions options;
    options.peers = policy;
    return options;
  }
  static LinkOptions ClientOptions() { return ServerOptions(Uids({0})); }

  void Serve(bool shared = true) {
    RendezvousOptions where;
    where.shared = shared;
    absl::StatusOr<std::unique_ptr<ListeningName>> name =
        ListeningName::Acquire("greeter", /*backlog=*/8, where);
    ASSERT_TRUE(name.ok()) << name.status();
    listening_ = *std::move(name);
  }

  // What the server, with that policy, makes of a client of `user`; OK only if
  // both sides got a link, and could use it.
  absl::Status Try(const User& user, const PeerPolicy& policy) {
    Serve();
    absl::Status at_server;
    ChildProcess client([&user](Conversation& parent) {
      ASSERT_TRUE(Become(user.id, user.groups));
      absl::StatusOr<UniqueFd> socket = Connect("greeter", ClientOptions());
      ASSERT_TRUE(socket.ok()) << socket.status();
      parent.Say("connected");
      pollfd answer = {socket->get(), POLLIN, 0};
      ASSERT_EQ(poll(&answer, 1, kHangMilliseconds), 1);
      absl::StatusOr<std::unique_ptr<Link>> link =
          ReceiveWelcome(*std::move(socket), "greeter", ClientOptions());
      parent.Say(absl::StrCat(static_cast<int>(link.status().code())));
      if (!link.ok()) return;
      EXPECT_EQ((*link)->peer().uid, 0u);
      Send(**link, "question");
      EXPECT_EQ(Receive(**link), "answer");
      parent.Say("done");
    });
    EXPECT_EQ(client.conversation().Hear(), "connected");
    absl::StatusOr<UniqueFd> socket = Accept(listening_->fd());
    EXPECT_TRUE(socket.ok()) << socket.status();
    if (!socket.ok()) return socket.status();
    EXPECT_EQ(CheckClient(*socket, ServerOptions(policy)).ok(),
              Admits(user, policy));
    absl::StatusOr<std::unique_ptr<Link>> link =
        AnswerHello(*std::move(socket), "greeter", ServerOptions(policy));
    EXPECT_EQ(client.conversation().Hear(),
              absl::StrCat(static_cast<int>(link.status().code())));
    if (link.ok()) {
      EXPECT_EQ((*link)->peer().uid, user.id);
      EXPECT_EQ((*link)->peer().pid, client.pid());
      EXPECT_EQ(Receive(**link), "question");
      Send(**link, "answer");
      EXPECT_EQ(client.conversation().Hear(), "done");
    }
    EXPECT_EQ(client.Wait(), 0);
    listening_.reset();
    return link.status();
  }

  // By the book.
  static bool Admits(const User& user, const PeerPolicy& policy) {
    for (uid_t uid : policy.uids) {
      if (user.id == uid) return true;
    }
    for (gid_t gid : policy.gids) {
      if (user.id == gid) return true;
      for (gid_t group : user.groups) {
        if (group == gid) return true;
      }
    }
    return false;
  }

  TemporaryRendezvous temporary_;
  std::unique_ptr<ListeningName> listening_;
};

TEST_F(PeerPolicyTest, ByDefaultNobodyElseIsAdmitted) {
  const absl::Status status = Try({kAlice, {}}, PeerPolicy());
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("shm:greeter: the client"),
                    HasSubstr("runs as uid 61001"), HasSubstr("peer_policy")));
}

TEST_F(PeerPolicyTest, AUserIsAdmittedByUidAndNoOther) {
  EXPECT_TRUE(Try({kAlice, {}}, Uids({5, kAlice})).ok());
  EXPECT_EQ(Try({kBob, {}}, Uids({5, kAlice})).code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(PeerPolicyTest, AUserIsAdmittedByTheGroupItRunsWith) {
  EXPECT_TRUE(Try({kAlice, {}}, Gids({5, kAlice})).ok());
  EXPECT_EQ(Try({kBob, {}}, Gids({5, kAlice})).code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(PeerPolicyTest, AUserIsAdmittedByAnyOfManySupplementaryGroups) {
  constexpr gid_t kFriends = 62500;
  std::vector<gid_t> groups;
  for (gid_t group = kFriends - 499; group <= kFriends; ++group) {
    groups.push_back(group);
  }
  EXPECT_TRUE(Try({kAlice, groups}, Gids({kFriends})).ok());
  EXPECT_TRUE(Try({kAlice, {kFriends}}, Gids({kFriends})).ok());
  groups.pop_back();
  EXPECT_EQ(Try({kBob, groups}, Gids({kFriends})).code(),
            absl::StatusCode::kPermissionDenied);
}

// A gid is no uid, and the other way round.
TEST_F(PeerPolicyTest, AUidIsNoGid) {
  EXPECT_EQ(Try({kAlice, {kBob}}, Uids({kBob})).code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Try({kBob, {}}, Gids({0, 100})).code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(PeerPolicyTest, TheOwnUserIsAlwaysAdmitted) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd one(ends[0]);
  const UniqueFd other(ends[1]);
  EXPECT_TRUE(AdmittedPeer(one.get(), Uids({kAlice}), "it", "nothing").ok());
}

// The credentials are those of connect(), whatever the process becomes or to
// whom it gives the socket.
TEST_F(PeerPolicyTest, WhoConnectedIsWhoCounts) {
  Serve();
  ChildProcess client([](Conversation& parent) {
    // Connects as Bob, and is root again when the server looks.
    ASSERT_EQ(setegid(kBob), 0);
    ASSERT_EQ(seteuid(kBob), 0);
    absl::StatusOr<UniqueFd> socket = Connect("greeter", ClientOptions());
    ASSERT_TRUE(socket.ok()) << socket.status();
    ASSERT_EQ(seteuid(0), 0);
    parent.Say("connected");
    parent.Hear();
  });
  ASSERT_EQ(client.conversation().Hear(), "connected");
  absl::StatusOr<UniqueFd> socket = Accept(listening_->fd());
  ASSERT_TRUE(socket.ok());
  EXPECT_EQ(CheckClient(*socket, ServerOptions(Uids({kAlice}))).code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(CheckClient(*socket, ServerOptions(Uids({kBob}))).ok());
}

// By hand: whoever is refused gets an answer, and no descriptor with it.
TEST_F(PeerPolicyTest, WhoIsNotAdmittedGetsNoDescriptor) {
  Serve();
  const std::string path = temporary_.Path("greeter.sock");
  ChildProcess client([path](Conversation& parent) {
    ASSERT_TRUE(Become(kBob));
    UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const sockaddr_un address = SocketAddress(path);
    ASSERT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                      sizeof(address)),
              0);
    wire::Hello hello;
    hello.set_magic(kHandshakeMagic);
    hello.set_version(kProtocolVersion);
    ASSERT_TRUE(SendPacket(fd.get(), hello.SerializeAsString()).ok());
    parent.Say("said hello");
    ASSERT_EQ(parent.Hear(), "answered");
    absl::StatusOr<Packet> packet =
        ReceivePacket(fd.get(), kWelcomeDescriptors);
    ASSERT_TRUE(packet.ok()) << packet.status();
    EXPECT_TRUE(packet->descriptors.empty());
    wire::Answer answer;
    ASSERT_TRUE(ParseHandshake(packet->bytes, &answer));
    EXPECT_EQ(answer.refused().code(),
              static_cast<int>(absl::StatusCode::kPermissionDenied));
  });
  ASSERT_EQ(client.conversation().Hear(), "said hello");
  absl::StatusOr<UniqueFd> socket = Accept(listening_->fd());
  ASSERT_TRUE(socket.ok());
  EXPECT_EQ(
      AnswerHello(*std::move(socket), "greeter", ServerOptions(Uids({kAlice})))
          .status()
          .code(),
      absl::StatusCode::kPermissionDenied);
  client.conversation().Say("answered");
  EXPECT_EQ(client.Wait(), 0);
}

// A refusal may come, and the server hang up, before Hello is sent.
TEST_F(PeerPolicyTest, WhoIsRefusedAtOnceIsToldWhy) {
  Serve();
  ChildProcess client([](Conversation& parent) {
    ASSERT_TRUE(Become(kBob));
    absl::StatusOr<UniqueFd> socket = Connect("greeter", ClientOptions());
    ASSERT_TRUE(socket.ok()) << socket.status();
    parent.Say("connected");
    ASSERT_EQ(parent.Hear(), "refused");
    EXPECT_EQ(ReceiveWelcome(*std::move(socket), "greeter", ClientOptions())
                  .status()
                  .code(),
              absl::StatusCode::kPermissionDenied);
  });
  // Whether it has said hello by now is open, and must not matter.
  absl::StatusOr<UniqueFd> socket = Accept(listening_->fd());
  while (absl::IsUnavailable(socket.status())) {
    pollfd listening = {listening_->fd(), POLLIN, 0};
    ASSERT_EQ(poll(&listening, 1, kHangMilliseconds), 1);
    socket = Accept(listening_->fd());
  }
  const LinkOptions options = ServerOptions(Uids({kAlice}));
  Refuse(*socket, CheckClient(*socket, options), options);
  *socket = UniqueFd();
  ASSERT_EQ(client.conversation().Hear(), "connected");
  client.conversation().Say("refused");
  EXPECT_EQ(client.Wait(), 0);
}

// What a client thinks of its server. Bob serves, in a directory of his own.
class ServerPolicyTest : public PeerPolicyTest {
 protected:
  void SetUp() override {
    PeerPolicyTest::SetUp();
    if (IsSkipped()) return;
    directory_ = temporary_.Path("bobs");
    ASSERT_EQ(mkdir(directory_.c_str(), 0711), 0);
    ASSERT_EQ(chown(directory_.c_str(), kBob, kBob), 0);
    server_ = std::make_unique<ChildProcess>([this](Conversation& parent) {
      ASSERT_TRUE(Become(kBob));
      RendezvousOptions where;
      where.directory = directory_;
      where.shared = true;
      absl::StatusOr<std::unique_ptr<ListeningName>> name =
          ListeningName::Acquire("greeter", /*backlog=*/8, where);
      ASSERT_TRUE(name.ok()) << name.status();
      parent.Say("serving");
      parent.Hear();
    });
    ASSERT_EQ(server_->conversation().Hear(), "serving");
  }

  // Alice's attempt, who takes a server of these users.
  absl::Status ConnectAsAlice(const std::vector<uid_t>& servers) {
    return RunInChild([&] {
      if (!Become(kAlice)) return absl::InternalError("cannot become Alice");
      LinkOptions options;
      options.directory = directory_;
      options.peers.uids = servers;
      return Connect("greeter", options).status();
    });
  }

  std::string directory_;
  std::unique_ptr<ChildProcess> server_;
};

TEST_F(ServerPolicyTest, AServerIsAdmittedByUid) {
  const absl::Status status = ConnectAsAlice({kBob});
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(ServerPolicyTest, ADirectoryOfSomebodyElseIsNotUsed) {
  for (const std::vector<uid_t>& servers :
       {std::vector<uid_t>{}, std::vector<uid_t>{0, 5}}) {
    const absl::Status status = ConnectAsAlice(servers);
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("belongs to uid 61002"));
  }
}

// The directory is Alice's now, and right; Bob's server is still there.
TEST_F(ServerPolicyTest, AServerThatIsNotAdmittedIsNotGreeted) {
  ASSERT_EQ(chown(directory_.c_str(), kAlice, kAlice), 0);
  const absl::Status status = ConnectAsAlice({5});
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_THAT(
      std::string(status.message()),
      AllOf(HasSubstr("shm:greeter: the server"),
            HasSubstr("runs as uid 61002"), HasSubstr("grpc_shm.server_uids")));
}

TEST_F(ServerPolicyTest, AServerMayComeLaterThanItsClients) {
  directory_ = temporary_.Path("not-yet");
  const absl::Status status = ConnectAsAlice({kBob});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_NE(access(directory_.c_str(), F_OK), 0) << "it is not Alice's to make";
}

}  // namespace
}  // namespace grpc_shm
