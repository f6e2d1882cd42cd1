// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A link between two processes: records both ways, through sleeps on both
// sides, and the death of one side.

#include "transport/link/link.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <memory>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/link/process_resources.h"
#include "tests/unit/link/temporary_rendezvous.h"
#include "transport/link/handshake.h"
#include "transport/link/listening_name.h"

namespace grpc_shm {
namespace {

using testing::ChildProcess;
using testing::Conversation;
using testing::ProcessResources;
using testing::TemporaryRendezvous;

// A lost wake-up must fail a test and not hang it; nothing waits this long.
constexpr int kHangMilliseconds = 30000;

// Waits until `fd` can be read.
void AwaitReadable(int fd) {
  pollfd poll_fd = {fd, POLLIN, 0};
  ASSERT_EQ(poll(&poll_fd, 1, kHangMilliseconds), 1);
}

// One end of a link, which sleeps whenever it has to wait.
class Party {
 public:
  explicit Party(std::unique_ptr<Link> link)
      : link_(std::move(link)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    Add(link_->doorbell_fd(), EPOLLIN | EPOLLET);
    Add(link_->control_fd(), EPOLLRDHUP);
  }

  Link& link() { return *link_; }

  // Sends a record whose number says what must be in it. False: the peer is
  // gone.
  bool Send(uint64_t number, size_t bytes) {
    std::byte* payload;
    while ((payload = link_->producer().TryReserve(bytes)) == nullptr) {
      if (link_->producer().broken()) return false;
      if (link_->producer().ArmForSpace(bytes) && !Sleep()) return false;
    }
    std::memset(payload, static_cast<int>(number & 0xff), bytes);
    link_->producer().Commit(
        {static_cast<uint32_t>(bytes), /*type=*/1, 0, 0, number});
    if (link_->producer().Publish()) link_->RingDoorbell();
    return true;
  }

  // Takes the next record. False: it is spoilt, or the peer is gone.
  bool Receive(uint64_t* number, size_t* bytes) {
    RecordHeader header;
    const std::byte* payload;
    for (;;) {
      switch (link_->consumer().Peek(&header, &payload)) {
        case RingConsumer::Next::kRecord: {
          *number = header.call_id;
          *bytes = header.length;
          bool intact = true;
          for (size_t i = 0; i < header.length; ++i) {
            intact &= payload[i] == static_cast<std::byte>(*number & 0xff);
          }
          link_->consumer().Pop();
          link_->consumer().Release();
          if (link_->consumer().TakeProducerWakeup()) link_->RingDoorbell();
          return intact;
        }
        case RingConsumer::Next::kEmpty:
          if (link_->consumer().Arm() && !Sleep()) return false;
          break;
        case RingConsumer::Next::kBroken:
          return false;
      }
    }
  }

 private:
  // Until the doorbell rings. False: the peer is gone, or a wake-up is lost.
  bool Sleep() {
    epoll_event event;
    const int count = epoll_wait(epoll_.get(), &event, 1, kHangMilliseconds);
    EXPECT_EQ(count, 1) << "a wake-up is lost";
    return count == 1 && event.data.fd == link_->doorbell_fd();
  }

  void Add(int fd, uint32_t events) {
    epoll_event event = {};
    event.events = events;
    event.data.fd = fd;
    EXPECT_EQ(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), 0);
  }

  std::unique_ptr<Link> link_;
  UniqueFd epoll_;
};

// Rings so small that every test fills them and goes around many times.
LinkOptions SmallRings() {
  LinkOptions options;
  options.ring_bytes = options.min_ring_bytes;
  return options;
}

std::unique_ptr<Link> ServeOne(const ListeningName& name) {
  AwaitReadable(name.fd());
  absl::StatusOr<UniqueFd> accepted = Accept(name.fd());
  EXPECT_TRUE(accepted.ok()) << accepted.status();
  if (!accepted.ok()) return nullptr;
  AwaitReadable(accepted->get());
  absl::StatusOr<std::unique_ptr<Link>> link =
      AnswerHello(*std::move(accepted), "greeter", LinkOptions());
  EXPECT_TRUE(link.ok()) << link.status();
  return link.ok() ? *std::move(link) : nullptr;
}

std::unique_ptr<Link> ConnectOne() {
  absl::StatusOr<UniqueFd> socket = Connect("greeter", SmallRings());
  EXPECT_TRUE(socket.ok()) << socket.status();
  if (!socket.ok()) return nullptr;
  AwaitReadable(socket->get());
  absl::StatusOr<std::unique_ptr<Link>> link =
      ReceiveWelcome(*std::move(socket), "greeter", SmallRings());
  EXPECT_TRUE(link.ok()) << link.status();
  return link.ok() ? *std::move(link) : nullptr;
}

class LinkTest : public ::testing::Test {
 protected:
  // A server process that runs `serve` on its one link.
  std::unique_ptr<ChildProcess> StartServer(
      std::function<void(Party&, Conversation&)> serve) {
    auto server = std::make_unique<ChildProcess>(
        [serve = std::move(serve)](Conversation& parent) {
          absl::StatusOr<std::unique_ptr<ListeningName>> name =
              ListeningName::Acquire("greeter", /*backlog=*/1);
          ASSERT_TRUE(name.ok()) << name.status();
          parent.Say("serving");
          std::unique_ptr<Link> link = ServeOne(**name);
          ASSERT_NE(link, nullptr);
          Party party(std::move(link));
          serve(party, parent);
        });
    EXPECT_EQ(server->conversation().Hear(), "serving");
    return server;
  }

  TemporaryRendezvous temporary_;
};

TEST_F(LinkTest, EachSideKnowsTheOtherProcess) {
  auto server = StartServer([](Party& party, Conversation& parent) {
    EXPECT_EQ(party.link().peer().pid, getppid());
    EXPECT_EQ(party.link().peer().uid, geteuid());
    parent.Hear();
  });
  std::unique_ptr<Link> link = ConnectOne();
  ASSERT_NE(link, nullptr);
  EXPECT_EQ(link->peer().pid, server->pid());
  EXPECT_EQ(link->peer().uid, geteuid());
  server->conversation().Say("leave");
  EXPECT_EQ(server->Wait(), 0);
}

TEST_F(LinkTest, PingPongWakesEachSideEachTime) {
  constexpr uint64_t kRounds = 5000;
  auto server = StartServer([](Party& party, Conversation&) {
    for (uint64_t i = 0; i < kRounds; ++i) {
      uint64_t number;
      size_t bytes;
      ASSERT_TRUE(party.Receive(&number, &bytes));
      ASSERT_EQ(number, i);
      ASSERT_TRUE(party.Send(number + 1, bytes + 1));
    }
  });
  std::unique_ptr<Link> link = ConnectOne();
  ASSERT_NE(link, nullptr);
  Party party(std::move(link));
  for (uint64_t i = 0; i < kRounds; ++i) {
    ASSERT_TRUE(party.Send(i, i % 100));
    uint64_t number;
    size_t bytes;
    ASSERT_TRUE(party.Receive(&number, &bytes));
    ASSERT_EQ(number, i + 1);
    ASSERT_EQ(bytes, i % 100 + 1);
  }
  EXPECT_EQ(server->Wait(), 0);
}

// Record sizes from nothing up to the largest, so that they run over the end of
// the ring at every place.
size_t SizeOf(uint64_t number, size_t max) {
  return static_cast<size_t>(number * 2654435761u % (max + 1));
}

TEST_F(LinkTest, AFloodThatFillsTheRingsArrivesWholeAndInOrder) {
  constexpr uint64_t kRecords = 20000;
  // The server takes everything, then sends everything.
  auto server = StartServer([](Party& party, Conversation&) {
    const size_t max = party.link().producer().max_payload();
    for (uint64_t i = 0; i < kRecords; ++i) {
      uint64_t number;
      size_t bytes;
      ASSERT_TRUE(party.Receive(&number, &bytes));
      ASSERT_EQ(number, i);
      ASSERT_EQ(bytes, SizeOf(i, max));
    }
    for (uint64_t i = 0; i < kRecords; ++i) {
      ASSERT_TRUE(party.Send(i, SizeOf(i, max)));
    }
    uint64_t number;
    size_t bytes;
    EXPECT_FALSE(party.Receive(&number, &bytes));  // until the client leaves
  });
  {
    std::unique_ptr<Link> link = ConnectOne();
    ASSERT_NE(link, nullptr);
    Party party(std::move(link));
    const size_t max = party.link().producer().max_payload();
    for (uint64_t i = 0; i < kRecords; ++i) {
      ASSERT_TRUE(party.Send(i, SizeOf(i, max)));
    }
    for (uint64_t i = 0; i < kRecords; ++i) {
      uint64_t number;
      size_t bytes;
      ASSERT_TRUE(party.Receive(&number, &bytes));
      ASSERT_EQ(number, i);
      ASSERT_EQ(bytes, SizeOf(i, max));
    }
  }
  EXPECT_EQ(server->Wait(), 0);
}

TEST_F(LinkTest, AKilledPeerIsAHangUpAndLeavesNothing) {
  const ProcessResources before = ProcessResources::Now();
  {
    auto server = StartServer([](Party& party, Conversation& parent) {
      party.Send(1, 10);
      parent.Hear();
    });
    std::unique_ptr<Link> link = ConnectOne();
    ASSERT_NE(link, nullptr);
    Party party(std::move(link));
    uint64_t number;
    size_t bytes;
    ASSERT_TRUE(party.Receive(&number, &bytes));
    server->Kill();
    EXPECT_FALSE(party.Receive(&number, &bytes));
    pollfd control = {party.link().control_fd(), POLLRDHUP, 0};
    EXPECT_EQ(poll(&control, 1, /*timeout=*/0), 1);
    // Talking to the dead is harmless.
    party.link().RingDoorbell();
    EXPECT_TRUE(party.Send(2, 10));
    EXPECT_EQ(Connect("greeter", LinkOptions()).status().code(),
              absl::StatusCode::kUnavailable);
  }
  EXPECT_EQ(ProcessResources::Now(), before);
  EXPECT_THAT(temporary_.Files(), ::testing::ElementsAre("greeter.lock"));
}

}  // namespace
}  // namespace grpc_shm
