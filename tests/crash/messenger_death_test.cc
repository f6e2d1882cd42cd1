// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Messengers whose peers are killed, come back, or are only stopped.

#include <signal.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/messenger_peer.h"
#include "tests/integration/observer.h"
#include "tests/integration/process_resources.h"
#include "tests/integration/test_server.h"
#include "transport/messenger.h"

namespace grpc_shm {
namespace testing {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::Time Soon() { return absl::Now() + kPatience; }

MATCHER_P(Fails, code, "") {
  *result_listener << arg;
  return arg.code() == code;
}
MATCHER(IsOk, "") {
  *result_listener << arg;
  return arg.ok();
}

class MessengerDeathTest : public ::testing::Test {
 protected:
  void Open(const MessengerOptions& options = MessengerOptions()) {
    auto messenger = Messenger::Open(kP, options);
    ASSERT_TRUE(messenger.ok()) << messenger.status();
    p_ = *std::move(messenger);
    StartPeer();
  }
  // Another process, which has the name q.
  void StartPeer(uint64_t inbox_messages = 0) {
    peer_ = std::make_unique<MessengerPeer>();
    ASSERT_THAT(peer_->Open(kQ, inbox_messages), IsOk());
  }
  // The link is there, and both inboxes are empty.
  void Link() {
    ASSERT_THAT(p_->Send(kQ, "first", Soon()), IsOk());
    ASSERT_THAT(peer_->Receive(kP), ElementsAre("first"));
  }
  // That the old link is dead may show only now, and cost the message.
  void SendToSuccessor(const std::string& message) {
    absl::Status status;
    EXPECT_TRUE(Eventually([&] {
      status = p_->Send(kQ, message, Soon());
      return status.ok();
    })) << status;
  }
  std::string Receive() {
    absl::StatusOr<Messenger::Message> message = p_->Receive(kQ, Soon());
    EXPECT_TRUE(message.ok()) << message.status();
    return message.ok() ? message->data : "";
  }

  const std::string kP = NewName();
  const std::string kQ = NewName();
  std::unique_ptr<Messenger> p_;
  std::unique_ptr<MessengerPeer> peer_;
};

TEST_F(MessengerDeathTest, ASenderThatWaitsForAPlaceLearnsOfItPromptly) {
  Open();
  StartPeer(/*inbox_messages=*/1);
  ASSERT_THAT(p_->Send(kQ, "fills it", Soon()), IsOk());
  int64_t returned = 0;
  std::thread sender([&] {
    EXPECT_THAT(p_->Send(kQ, "waits", Soon()), Fails(StatusCode::kUnavailable));
    returned = MonotonicNanos();
  });
  const int64_t killed = peer_->process().Kill();
  sender.join();
  EXPECT_LE(absl::Nanoseconds(returned - killed), kPromptly);
}

TEST_F(MessengerDeathTest, ASenderThatAwaitsArrivalLearnsOfItPromptly) {
  Open();
  Link();
  peer_->process().Stop();
  // Is sent: there are places. But nobody confirms it.
  EXPECT_THAT(p_->TrySend(kQ, "0"), IsOk());
  absl::Status status;
  int64_t returned = 0;
  std::thread sender([&] {
    status = p_->Send(kQ, "1", Soon());
    returned = MonotonicNanos();
  });
  EXPECT_THAT(p_->Send(kQ, "2", absl::Now() + absl::Milliseconds(50)),
              Fails(StatusCode::kDeadlineExceeded));
  const int64_t killed = peer_->process().Kill();
  sender.join();
  EXPECT_THAT(status, Fails(StatusCode::kUnavailable));
  EXPECT_LE(absl::Nanoseconds(returned - killed), kPromptly);
}

TEST_F(MessengerDeathTest, WhatADeadSenderSentIsReceived) {
  Open();
  ASSERT_THAT(peer_->SendNumbers(kP, 3), IsOk());
  peer_->process().Kill();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Receive(), absl::StrCat(i));
}

// Receivers wait for a name, not for a process.
TEST_F(MessengerDeathTest, AReceiverGoesOnWaitingForTheSuccessor) {
  Open();
  Link();
  std::thread receiver([this] { EXPECT_EQ(Receive(), "of the successor"); });
  peer_->process().Kill();
  StartPeer();
  EXPECT_THAT(peer_->Send(kP, "of the successor"), IsOk());
  receiver.join();
}

TEST_F(MessengerDeathTest, TheSuccessorIsReachedOverOneNewLink) {
  Open();
  Link();
  const int mappings = ResourcesOf(getpid()).memfd_mappings;
  for (int i = 0; i < 20; ++i) {
    peer_->process().Kill();
    StartPeer();
    // Who sends first, alternates.
    if (i % 2 == 0) {
      SendToSuccessor("hello");
      ASSERT_THAT(peer_->Receive(kP), ElementsAre("hello"));
      ASSERT_THAT(peer_->Send(kP, "answer"), IsOk());
      EXPECT_EQ(Receive(), "answer");
    } else {
      ASSERT_THAT(peer_->Send(kP, "hello"), IsOk());
      EXPECT_EQ(Receive(), "hello");
      ASSERT_THAT(p_->Send(kQ, "answer", Soon()), IsOk());
      ASSERT_THAT(peer_->Receive(kP), ElementsAre("answer"));
    }
    EXPECT_EQ(p_->links(), 1u);
    EXPECT_TRUE(Eventually([&] {
      return ResourcesOf(getpid()).memfd_mappings == mappings;
    })) << ResourcesOf(getpid());
  }
}

// The inbox belongs to the name, as far as its places go.
TEST_F(MessengerDeathTest, TheSuccessorWaitsForThePlacesOfItsPredecessor) {
  MessengerOptions options;
  options.inbox_messages = 2;
  Open(options);
  ASSERT_THAT(peer_->SendNumbers(kP, 2), IsOk());
  peer_->process().Kill();
  StartPeer();
  peer_->Begin(SendCommand(kP, "of the successor"));
  EXPECT_EQ(Receive(), "0");
  EXPECT_THAT(peer_->End(), IsOk());
  EXPECT_EQ(Receive(), "1");
  EXPECT_EQ(Receive(), "of the successor");
}

// Killed at moments of chance, a sender's messages come once, in order, and
// none that was confirmed is missing.
TEST_F(MessengerDeathTest, NothingComesTwiceOrOutOfOrder) {
  Open();
  for (int round = 0; round < 20; ++round) {
    peer_->Begin(SendNumbersCommand(kP, 1'000'000));
    const int before = round * 5;
    for (int i = 0; i < before; ++i) ASSERT_EQ(Receive(), absl::StrCat(i));
    peer_->process().Kill();
    StartPeer();
    ASSERT_THAT(peer_->Send(kP, "end"), IsOk());
    for (int i = before;; ++i) {
      const std::string data = Receive();
      if (data == "end") break;
      ASSERT_EQ(data, absl::StrCat(i));
    }
  }
}

TEST_F(MessengerDeathTest, TheInboxOfADeadReceiverIsLost) {
  Open();
  ASSERT_THAT(p_->Send(kQ, "old", Soon()), IsOk());
  peer_->process().Kill();
  StartPeer();
  SendToSuccessor("new");
  EXPECT_THAT(peer_->Receive(kP), ElementsAre("new"));
}

TEST_F(MessengerDeathTest, AStoppedPeerIsNotDead) {
  Open();
  Link();
  auto other = std::make_unique<MessengerPeer>();
  const std::string r = NewName();
  ASSERT_THAT(other->Open(r), IsOk());
  peer_->process().Stop();
  const absl::Status status =
      p_->Send(kQ, "late", absl::Now() + absl::Milliseconds(50));
  EXPECT_THAT(status, Fails(StatusCode::kDeadlineExceeded));
  EXPECT_THAT(std::string(status.message()), HasSubstr("may arrive"));
  // It holds up nobody.
  EXPECT_THAT(p_->Send(r, "hello", Soon()), IsOk());
  EXPECT_THAT(other->Send(kP, "hello"), IsOk());
  EXPECT_EQ(p_->links(), 2u);
  peer_->process().Signal(SIGCONT);
  EXPECT_THAT(peer_->Receive(kP), ElementsAre("late"));
}

TEST_F(MessengerDeathTest, CloseWaitsForAStoppedPeerUntilItsDeadline) {
  Open();
  Link();
  peer_->process().Stop();
  ASSERT_THAT(p_->TrySend(kQ, "0"), IsOk());
  const absl::Time start = absl::Now();
  p_->Close(start + absl::Milliseconds(50));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(50));
  EXPECT_LT(absl::Now() - start, kPatience);
  EXPECT_EQ(p_->links(), 0u);
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
