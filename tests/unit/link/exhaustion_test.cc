// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A process that runs out of descriptors or memory at any step of a hand-shake
// fails with RESOURCE_EXHAUSTED and holds what it held before. Each in a child,
// whose limits it lowers.

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/link/process_resources.h"
#include "tests/unit/link/socket_pair.h"
#include "tests/unit/link/temporary_rendezvous.h"
#include "transport/link/handshake.h"
#include "transport/link/handshake_messages.h"
#include "transport/link/listening_name.h"
#include "transport/link/packet.h"

namespace grpc_shm {
namespace {

using testing::ProcessResources;
using testing::TemporaryRendezvous;

constexpr absl::StatusCode kExhausted = absl::StatusCode::kResourceExhausted;

using LinkOr = absl::StatusOr<std::unique_ptr<Link>>;

// Lowers a limit of this process while it exists.
class LoweredLimit {
 public:
  LoweredLimit(decltype(RLIMIT_NOFILE) which, rlim_t value) : which_(which) {
    EXPECT_EQ(getrlimit(which_, &before_), 0);
    rlimit lowered = before_;
    lowered.rlim_cur = value;
    EXPECT_EQ(setrlimit(which_, &lowered), 0);
  }
  ~LoweredLimit() { setrlimit(which_, &before_); }

 private:
  const decltype(RLIMIT_NOFILE) which_;
  rlimit before_;
};

// Leaves room for exactly `room` more descriptors while it exists.
class DescriptorRoom {
 public:
  explicit DescriptorRoom(int room)
      : limit_(RLIMIT_NOFILE, static_cast<rlim_t>(FirstFree() + room)) {}

 private:
  // All below are taken: those of a test are, and it closes in reverse.
  static int FirstFree() {
    const int fd = dup(STDERR_FILENO);
    close(fd);
    return fd;
  }

  LoweredLimit limit_;
};

// Runs `step` with room for no, one, two, ... more descriptors until it
// succeeds, and expects every failure before that to be the right one. Returns
// how many descriptors it took.
int DescriptorsNeededBy(const std::function<absl::Status()>& step) {
  for (int room = 0; room < 20; ++room) {
    const ProcessResources before = ProcessResources::Now();
    absl::Status status;
    {
      DescriptorRoom limit(room);
      status = step();
    }
    if (status.ok()) return room;
    EXPECT_EQ(status.code(), kExhausted) << room << ": " << status;
    EXPECT_EQ(ProcessResources::Now(), before) << room;
  }
  ADD_FAILURE() << "does not succeed at all";
  return -1;
}

// A body that runs in a child, with a rendezvous directory of its own.
void InChild(const std::function<void()>& body) {
  TemporaryRendezvous temporary;
  testing::ChildProcess child([&body](testing::Conversation&) { body(); });
  EXPECT_EQ(child.Wait(), 0);
}

std::unique_ptr<ListeningName> Serve() {
  absl::StatusOr<std::unique_ptr<ListeningName>> name =
      ListeningName::Acquire("greeter", /*backlog=*/100);
  EXPECT_TRUE(name.ok()) << name.status();
  return name.ok() ? *std::move(name) : nullptr;
}

// The two sockets of a hand-shake in which Hello has been sent.
struct HalfShake {
  HalfShake(const ListeningName& name, const LinkOptions& options) {
    absl::StatusOr<UniqueFd> connected = Connect("greeter", options);
    EXPECT_TRUE(connected.ok()) << connected.status();
    if (connected.ok()) client = *std::move(connected);
    absl::StatusOr<UniqueFd> accepted = Accept(name.fd());
    EXPECT_TRUE(accepted.ok()) << accepted.status();
    if (accepted.ok()) server = *std::move(accepted);
  }

  UniqueFd client;
  UniqueFd server;
};

TEST(DescriptorExhaustion, IsTheAnswerOfEachStepOfListening) {
  InChild([] {
    EXPECT_GE(DescriptorsNeededBy(
                  [] { return ListeningName::Acquire("greeter", 1).status(); }),
              2);
  });
}

TEST(DescriptorExhaustion, IsTheAnswerOfEachStepOfConnecting) {
  InChild([] {
    auto name = Serve();
    EXPECT_GE(DescriptorsNeededBy(
                  [] { return Connect("greeter", LinkOptions()).status(); }),
              1);
  });
}

TEST(DescriptorExhaustion, IsTheAnswerOfAcceptingAndTheClientGoesOnWaiting) {
  InChild([] {
    auto name = Serve();
    absl::StatusOr<UniqueFd> connected = Connect("greeter", LinkOptions());
    EXPECT_EQ(
        DescriptorsNeededBy([&name] { return Accept(name->fd()).status(); }),
        1);
  });
}

TEST(DescriptorExhaustion, OfTheServerIsToldToTheClient) {
  InChild([] {
    auto name = Serve();
    // It takes three: the segment's and two doorbells.
    for (int room = 0; room < 3; ++room) {
      const ProcessResources before = ProcessResources::Now();
      {
        HalfShake half(*name, LinkOptions());
        absl::Status server;
        {
          DescriptorRoom limit(room);
          server = AnswerHello(std::move(half.server), "greeter", LinkOptions())
                       .status();
        }
        EXPECT_EQ(server.code(), kExhausted) << room << ": " << server;
        const absl::Status client =
            ReceiveWelcome(std::move(half.client), "greeter", LinkOptions())
                .status();
        EXPECT_EQ(client.code(), kExhausted) << room << ": " << client;
      }
      EXPECT_EQ(ProcessResources::Now(), before);
    }
  });
}

TEST(DescriptorExhaustion, OfTheClientClosesWhatHadArrived) {
  InChild([] {
    auto name = Serve();
    // It takes four: the same three, and one that verifies the doorbells.
    for (int room = 0; room < 4; ++room) {
      const ProcessResources before = ProcessResources::Now();
      {
        HalfShake half(*name, LinkOptions());
        LinkOr server =
            AnswerHello(std::move(half.server), "greeter", LinkOptions());
        ASSERT_TRUE(server.ok()) << server.status();
        absl::Status client;
        {
          DescriptorRoom limit(room);
          client =
              ReceiveWelcome(std::move(half.client), "greeter", LinkOptions())
                  .status();
        }
        EXPECT_EQ(client.code(), kExhausted) << room << ": " << client;
      }
      EXPECT_EQ(ProcessResources::Now(), before);
    }
  });
}

// The kernel also limits how many descriptors a user may have under way, sent
// and not received. (Root may have more.)
TEST(DescriptorExhaustion, OfTheSystemIsToldToTheClient) {
  testing::ChildProcess child([](testing::Conversation&) {
    constexpr uid_t kNobody = 65534;
    if (geteuid() == 0) {
      ASSERT_EQ(setuid(kNobody), 0);
    }
    LoweredLimit limit(RLIMIT_NOFILE, 64);
    testing::SocketPair clogged;
    const std::vector<int> descriptors(kMaxPacketDescriptors, STDERR_FILENO);
    absl::Status status;
    for (int sent = 0; sent < 100 && status.ok(); ++sent) {
      status = SendPacket(clogged.peer.get(), "text", descriptors);
    }
    EXPECT_EQ(status.code(), kExhausted) << status;

    testing::SocketPair sockets;
    wire::Hello hello;
    hello.set_magic(kHandshakeMagic);
    hello.set_version(kProtocolVersion);
    ASSERT_TRUE(SendPacket(sockets.peer.get(), hello.SerializeAsString()).ok());
    status =
        AnswerHello(std::move(sockets.ours), "greeter", LinkOptions()).status();
    EXPECT_EQ(status.code(), kExhausted) << status;
    status = ReceiveWelcome(std::move(sockets.peer), "greeter", LinkOptions())
                 .status();
    EXPECT_EQ(status.code(), kExhausted) << status;
  });
  EXPECT_EQ(child.Wait(), 0);
}

// Bytes of address space that this process uses.
rlim_t AddressSpace() {
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  return pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
}

// More than what a hand-shake allocates, less than a ring takes.
constexpr rlim_t kAddressSpaceMargin = rlim_t{8} << 20;

LinkOptions LargeRings() {
  LinkOptions options;
  options.ring_bytes = size_t{8} << 20;
  return options;
}

TEST(MemoryExhaustion, OfTheServerIsToldToTheClient) {
  InChild([] {
    auto name = Serve();
    const ProcessResources before = ProcessResources::Now();
    {
      HalfShake half(*name, LargeRings());
      absl::Status server;
      {
        LoweredLimit limit(RLIMIT_AS, AddressSpace() + kAddressSpaceMargin);
        server = AnswerHello(std::move(half.server), "greeter", LinkOptions())
                     .status();
      }
      EXPECT_EQ(server.code(), kExhausted) << server;
      const absl::Status client =
          ReceiveWelcome(std::move(half.client), "greeter", LargeRings())
              .status();
      EXPECT_EQ(client.code(), kExhausted) << client;
    }
    EXPECT_EQ(ProcessResources::Now(), before);
  });
}

TEST(MemoryExhaustion, OfTheClientLeavesNothing) {
  InChild([] {
    auto name = Serve();
    const ProcessResources before = ProcessResources::Now();
    {
      HalfShake half(*name, LargeRings());
      LinkOr server =
          AnswerHello(std::move(half.server), "greeter", LinkOptions());
      ASSERT_TRUE(server.ok()) << server.status();
      absl::Status client;
      {
        LoweredLimit limit(RLIMIT_AS, AddressSpace() + kAddressSpaceMargin);
        client = ReceiveWelcome(std::move(half.client), "greeter", LargeRings())
                     .status();
      }
      EXPECT_EQ(client.code(), kExhausted) << client;
    }
    EXPECT_EQ(ProcessResources::Now(), before);
  });
}

}  // namespace
}  // namespace grpc_shm
