// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Another user cannot come near the socket (see rendezvous_test.cc). So these
// open the way by hand, and speak the protocol by hand: what they test is the
// second line, SO_PEERCRED.

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/link/temporary_rendezvous.h"
#include "transport/link/handshake.h"
#include "transport/link/handshake_messages.h"
#include "transport/link/listening_name.h"
#include "transport/link/packet.h"
#include "transport/link/socket_address.h"

namespace grpc_shm {
namespace {

using ::testing::AllOf;
using testing::ChildProcess;
using testing::Conversation;
using ::testing::HasSubstr;
using testing::TemporaryRendezvous;

constexpr uid_t kNobody = 65534;

class ForeignUserTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  }

  TemporaryRendezvous temporary_;
};

TEST_F(ForeignUserTest, AForeignClientGetsARefusalAndNoDescriptor) {
  absl::StatusOr<std::unique_ptr<ListeningName>> name =
      ListeningName::Acquire("greeter", /*backlog=*/1);
  ASSERT_TRUE(name.ok()) << name.status();
  const std::string path = temporary_.Path("greeter.sock");
  ASSERT_EQ(chmod(temporary_.directory().c_str(), 0755), 0);
  ASSERT_EQ(chmod(path.c_str(), 0666), 0);
  ChildProcess client([path](Conversation& parent) {
    ASSERT_EQ(setgid(kNobody), 0);
    ASSERT_EQ(setuid(kNobody), 0);
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
  absl::StatusOr<UniqueFd> accepted = Accept((*name)->fd());
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  const absl::Status status =
      AnswerHello(*std::move(accepted), "greeter", LinkOptions()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("shm:greeter: the client"),
                    HasSubstr("runs as uid 65534")));
  client.conversation().Say("answered");
  EXPECT_EQ(client.Wait(), 0);
}

TEST_F(ForeignUserTest, AForeignClientsHelloIsNotParsed) {
  int ends[2];
  // A socket pair carries the credentials of whoever made it.
  ASSERT_EQ(seteuid(kNobody), 0);
  const int made = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
  ASSERT_EQ(seteuid(0), 0);
  ASSERT_EQ(made, 0);
  UniqueFd client(ends[1]);
  // Were it parsed, it would be INVALID_ARGUMENT.
  ASSERT_TRUE(SendPacket(client.get(), "garbage").ok());
  EXPECT_EQ(
      AnswerHello(UniqueFd(ends[0]), "greeter", LinkOptions()).status().code(),
      absl::StatusCode::kPermissionDenied);
}

TEST_F(ForeignUserTest, AForeignServerIsNotEvenGreeted) {
  const std::string path = temporary_.Path("greeter.sock");
  ChildProcess server([path](Conversation& parent) {
    UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const sockaddr_un address = SocketAddress(path);
    ASSERT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof(address)),
              0);
    ASSERT_EQ(setgid(kNobody), 0);
    ASSERT_EQ(setuid(kNobody), 0);
    ASSERT_EQ(listen(fd.get(), 1), 0);
    parent.Say("serving");
    ASSERT_EQ(parent.Hear(), "tried");
    absl::StatusOr<UniqueFd> accepted = Accept(fd.get());
    ASSERT_TRUE(accepted.ok()) << accepted.status();
    // A hang-up, and no Hello before it.
    EXPECT_EQ(ReceivePacket(accepted->get(), 0).status().code(),
              absl::StatusCode::kUnavailable);
  });
  ASSERT_EQ(server.conversation().Hear(), "serving");
  const absl::Status status = Connect("greeter", LinkOptions()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("shm:greeter: the server"),
                    HasSubstr("runs as uid 65534")));
  server.conversation().Say("tried");
  EXPECT_EQ(server.Wait(), 0);
}

TEST_F(ForeignUserTest, AForeignServersAnswerIsNotRead) {
  int ends[2];
  ASSERT_EQ(seteuid(kNobody), 0);
  const int made = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
  ASSERT_EQ(seteuid(0), 0);
  ASSERT_EQ(made, 0);
  UniqueFd server(ends[1]);
  ASSERT_TRUE(SendPacket(server.get(), "garbage").ok());
  EXPECT_EQ(ReceiveWelcome(UniqueFd(ends[0]), "greeter", LinkOptions())
                .status()
                .code(),
            absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace grpc_shm
