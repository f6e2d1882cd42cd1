// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A client may send a server anything. One corruption per test, of a Hello that
// is otherwise right; after each, the server holds what it held before and has
// told the client.

#include <fcntl.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/link/process_resources.h"
#include "tests/unit/link/socket_pair.h"
#include "transport/link/handshake.h"
#include "transport/link/handshake_messages.h"
#include "transport/link/packet.h"

namespace grpc_shm {
namespace {

using ::testing::HasSubstr;
using testing::ProcessResources;
using testing::SocketPair;

wire::Hello GoodHello() {
  wire::Hello hello;
  hello.set_magic(kHandshakeMagic);
  hello.set_version(kProtocolVersion);
  hello.set_ring_bytes(65536);
  hello.set_window_bytes(65536);
  return hello;
}

void ExpectRefusal(int client, absl::StatusCode code) {
  absl::StatusOr<Packet> packet = ReceivePacket(client, kMaxPacketDescriptors);
  ASSERT_TRUE(packet.ok()) << packet.status();
  EXPECT_TRUE(packet->descriptors.empty());
  wire::Answer answer;
  ASSERT_TRUE(ParseHandshake(packet->bytes, &answer));
  EXPECT_EQ(answer.refused().code(), static_cast<int>(code));
}

// What a server makes of one packet.
absl::Status StatusOfHello(const std::string& bytes,
                           const std::vector<int>& descriptors = {}) {
  const ProcessResources before = ProcessResources::Now();
  absl::Status status;
  {
    SocketPair sockets;
    EXPECT_TRUE(SendPacket(sockets.peer.get(), bytes, descriptors).ok());
    status =
        AnswerHello(std::move(sockets.ours), "greeter", LinkOptions()).status();
    if (!status.ok()) ExpectRefusal(sockets.peer.get(), status.code());
  }
  EXPECT_EQ(ProcessResources::Now(), before);
  return status;
}

TEST(MalformedHello, AnIntactOneIsAnswered) {
  EXPECT_TRUE(StatusOfHello(GoodHello().SerializeAsString()).ok());
}

TEST(MalformedHello, GarbageIsRefused) {
  for (const std::string& bytes :
       {std::string("x"), std::string(4096, '\xff'), std::string(100, '\0'),
        std::string("GET / HTTP/1.1\r\n\r\n"),
        std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")}) {
    const absl::Status status = StatusOfHello(bytes);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bytes;
    EXPECT_THAT(std::string(status.message()), HasSubstr("shm:greeter"));
  }
}

TEST(MalformedHello, AnEmptyPacketIsRefused) {
  EXPECT_EQ(StatusOfHello("").code(), absl::StatusCode::kInvalidArgument);
}

TEST(MalformedHello, AnOverlongPacketIsRefused) {
  SocketPair sockets;
  const std::string bytes(kMaxPacketBytes + 1, 'x');
  ASSERT_GT(send(sockets.peer.get(), bytes.data(), bytes.size(), 0), 0);
  EXPECT_EQ(AnswerHello(std::move(sockets.ours), "greeter", LinkOptions())
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
  ExpectRefusal(sockets.peer.get(), absl::StatusCode::kInvalidArgument);
}

TEST(MalformedHello, AnotherMagicIsRefused) {
  wire::Hello hello = GoodHello();
  hello.set_magic(kHandshakeMagic + 1);
  EXPECT_EQ(StatusOfHello(hello.SerializeAsString()).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(MalformedHello, NoVersionIsAnotherVersion) {
  wire::Hello hello = GoodHello();
  hello.clear_version();
  EXPECT_EQ(StatusOfHello(hello.SerializeAsString()).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(MalformedHello, OneThatIsCutOffAnywhereIsRefused) {
  const std::string whole = GoodHello().SerializeAsString();
  // A cut between two fields leaves a shorter message: magic alone is another
  // version, and magic and version alone (7 bytes) leave the sizes to us.
  size_t answered = 0;
  for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
    const absl::StatusCode code = StatusOfHello(whole.substr(0, bytes)).code();
    if (code == absl::StatusCode::kOk) {
      EXPECT_GE(bytes, 7u);
      ++answered;
    } else {
      EXPECT_EQ(code, bytes == 5 ? absl::StatusCode::kFailedPrecondition
                                 : absl::StatusCode::kInvalidArgument)
          << bytes;
    }
  }
  EXPECT_EQ(answered, 2u);
}

TEST(MalformedHello, DescriptorsAreRefused) {
  UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(
      StatusOfHello(GoodHello().SerializeAsString(), {null.get(), null.get()})
          .code(),
      absl::StatusCode::kInvalidArgument);
}

TEST(MalformedHello, WantingEverythingGetsNoMoreThanTheLimit) {
  wire::Hello hello = GoodHello();
  hello.set_ring_bytes(UINT64_MAX);
  hello.set_window_bytes(UINT32_MAX);
  LinkOptions options;
  options.max_ring_bytes = 128 << 10;
  SocketPair sockets;
  ASSERT_TRUE(SendPacket(sockets.peer.get(), hello.SerializeAsString()).ok());
  absl::StatusOr<std::unique_ptr<Link>> link =
      AnswerHello(std::move(sockets.ours), "greeter", options);
  ASSERT_TRUE(link.ok()) << link.status();
  EXPECT_EQ((*link)->ring_bytes(), size_t{128} << 10);
  EXPECT_EQ((*link)->window_bytes(), options.max_window_bytes);
}

}  // namespace
}  // namespace grpc_shm
