// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/messenger.h"

#include <unistd.h>

#include <functional>
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
#include "tests/integration/payload.h"
#include "tests/integration/process_resources.h"
#include "tests/integration/test_server.h"

namespace grpc_shm {
namespace testing {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Long enough to see that something waits, short enough for a test.
constexpr absl::Duration kAWhile = absl::Milliseconds(50);

absl::Time Soon() { return absl::Now() + kPatience; }
absl::Time InAWhile() { return absl::Now() + kAWhile; }

MATCHER_P(Fails, code, "") {
  *result_listener << arg;
  return arg.code() == code;
}
MATCHER(IsOk, "") {
  *result_listener << arg;
  return arg.ok();
}

std::unique_ptr<Messenger> OpenMessenger(
    const std::string& name,
    const MessengerOptions& options = MessengerOptions()) {
  absl::StatusOr<std::unique_ptr<Messenger>> messenger =
      Messenger::Open(name, options);
  EXPECT_TRUE(messenger.ok()) << messenger.status();
  return messenger.ok() ? *std::move(messenger) : nullptr;
}

std::string DataOf(const absl::StatusOr<Messenger::Message>& message) {
  EXPECT_TRUE(message.ok()) << message.status();
  return message.ok() ? message->data : "";
}

std::vector<std::string> Numbers(int count) {
  std::vector<std::string> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(absl::StrCat(i));
  return numbers;
}

// The test's process has one messenger, another process the other.
class MessengerTest : public ::testing::Test {
 protected:
  void Open(const MessengerOptions& options = MessengerOptions(),
            uint64_t peers_inbox = 0) {
    p_ = OpenMessenger(kP, options);
    ASSERT_NE(p_, nullptr);
    ASSERT_THAT(peer_.Open(kQ, peers_inbox), IsOk());
  }

  // The link is there, and the inbox of q empty.
  void Link() {
    ASSERT_THAT(p_->Send(kQ, "first", Soon()), IsOk());
    ASSERT_THAT(peer_.Receive(kP), ElementsAre("first"));
  }

  const std::string kP = NewName();
  const std::string kQ = NewName();
  std::unique_ptr<Messenger> p_;
  MessengerPeer peer_;
};

TEST_F(MessengerTest, CarriesMessagesBothWays) {
  Open();
  EXPECT_EQ(p_->name(), kP);
  ASSERT_THAT(p_->Send(kQ, "hello"), IsOk());
  EXPECT_THAT(peer_.Receive(kP), ElementsAre("hello"));
  ASSERT_THAT(peer_.Send(kP, "and back"), IsOk());
  absl::StatusOr<Messenger::Message> message = p_->Receive(kQ, Soon());
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->sender, kQ);
  EXPECT_EQ(message->data, "and back");
}

TEST_F(MessengerTest, CarriesAnyBytes) {
  Open();
  for (const std::string& data :
       {std::string(), std::string("\0\xff\n", 3), MakePayload(100'000, 1)}) {
    ASSERT_THAT(p_->Send(kQ, data, Soon()), IsOk());
    EXPECT_THAT(peer_.Receive(kP), ElementsAre(data));
  }
}

// ---- Links

TEST_F(MessengerTest, APairHasOneLinkForBothDirections) {
  Open();
  EXPECT_EQ(p_->links(), 0u);
  Link();
  EXPECT_EQ(p_->links(), 1u);
  const int mappings = ResourcesOf(peer_.process().pid()).memfd_mappings;
  EXPECT_GT(mappings, 0);
  ASSERT_THAT(peer_.SendNumbers(kP, 10), IsOk());
  EXPECT_EQ(p_->links(), 1u);
  EXPECT_EQ(ResourcesOf(peer_.process().pid()).memfd_mappings, mappings);
}

TEST_F(MessengerTest, APairHasOneLinkWhenBothBeginAtOnce) {
  Open();
  Link();
  const int one_link = ResourcesOf(peer_.process().pid()).memfd_mappings;
  constexpr int kRounds = 30;
  MessengerPeer other;
  for (int round = 0; round < kRounds; ++round) {
    const std::string lesser = NewName();
    const std::string greater = NewName();
    const std::string& a = round % 2 == 0 ? lesser : greater;
    const std::string& b = round % 2 == 0 ? greater : lesser;
    ASSERT_THAT(peer_.Open(a), IsOk());
    ASSERT_THAT(other.Open(b), IsOk());
    const int64_t start = MonotonicNanos() + 1'000'000;
    peer_.Begin(SendCommand(b, "from a", start));
    other.Begin(SendCommand(a, "from b", start));
    ASSERT_THAT(peer_.End(), IsOk());
    ASSERT_THAT(other.End(), IsOk());
    EXPECT_THAT(peer_.Receive(b), ElementsAre("from b"));
    EXPECT_THAT(other.Receive(a), ElementsAre("from a"));
    // The call that was given up, if there was one, takes its link along.
    for (MessengerPeer* peer : {&peer_, &other}) {
      EXPECT_TRUE(Eventually([&] {
        return ResourcesOf(peer->process().pid()).memfd_mappings == one_link;
      })) << "round "
          << round << ": " << ResourcesOf(peer->process().pid());
    }
    if (HasFailure()) break;
  }
}

TEST_F(MessengerTest, EveryPairHasItsLink) {
  Open();
  MessengerPeer other;
  const std::string r = NewName();
  ASSERT_THAT(other.Open(r), IsOk());
  ASSERT_THAT(p_->Send(kQ, "p to q", Soon()), IsOk());
  ASSERT_THAT(other.Send(kP, "r to p"), IsOk());
  ASSERT_THAT(other.Send(kQ, "r to q"), IsOk());
  EXPECT_EQ(p_->links(), 2u);
  EXPECT_EQ(DataOf(p_->Receive(r, Soon())), "r to p");
  EXPECT_THAT(peer_.Receive(r), ElementsAre("r to q"));
  EXPECT_THAT(peer_.Receive(kP), ElementsAre("p to q"));
}

// ---- Receiving

TEST_F(MessengerTest, ReceiveWaitsForAMessage) {
  Open();
  absl::StatusOr<Messenger::Message> message;
  std::thread receiver([&] { message = p_->Receive(kQ, Soon()); });
  EXPECT_THAT(peer_.Send(kP, "hello"), IsOk());
  receiver.join();
  EXPECT_EQ(DataOf(message), "hello");
}

TEST_F(MessengerTest, ReceiveAnyWaitsForAMessage) {
  Open();
  absl::StatusOr<Messenger::Message> message;
  std::thread receiver([&] { message = p_->ReceiveAny(Soon()); });
  EXPECT_THAT(peer_.Send(kP, "hello"), IsOk());
  receiver.join();
  EXPECT_EQ(DataOf(message), "hello");
}

TEST_F(MessengerTest, ReceiveWaitsUntilItsDeadline) {
  Open();
  const absl::Time start = absl::Now();
  EXPECT_THAT(p_->Receive(kQ, InAWhile()).status(),
              Fails(StatusCode::kDeadlineExceeded));
  EXPECT_GE(absl::Now() - start, kAWhile);
  EXPECT_THAT(p_->ReceiveAny(InAWhile()).status(),
              Fails(StatusCode::kDeadlineExceeded));
  EXPECT_GE(absl::Now() - start, 2 * kAWhile);
}

TEST_F(MessengerTest, TryReceiveDoesNotWait) {
  Open();
  EXPECT_THAT(p_->TryReceive(kQ).status(), Fails(StatusCode::kUnavailable));
  EXPECT_THAT(p_->TryReceiveAny().status(), Fails(StatusCode::kUnavailable));
  ASSERT_THAT(peer_.SendNumbers(kP, 2), IsOk());
  EXPECT_EQ(DataOf(p_->TryReceive(kQ)), "0");
  EXPECT_EQ(DataOf(p_->TryReceiveAny()), "1");
  EXPECT_THAT(p_->TryReceive(kQ).status(), Fails(StatusCode::kUnavailable));
  EXPECT_THAT(p_->TryReceiveAny().status(), Fails(StatusCode::kUnavailable));
}

TEST_F(MessengerTest, ADeadlineThatHasPassedIsAMatterOfTrying) {
  Open();
  EXPECT_THAT(p_->Receive(kQ, absl::InfinitePast()).status(),
              Fails(StatusCode::kDeadlineExceeded));
  ASSERT_THAT(peer_.Send(kP, "hello"), IsOk());
  EXPECT_EQ(DataOf(p_->Receive(kQ, absl::InfinitePast())), "hello");
}

TEST_F(MessengerTest, ReceiveTakesOneSendersAndReceiveAnyTheOldest) {
  Open();
  MessengerPeer other;
  const std::string r = NewName();
  ASSERT_THAT(other.Open(r), IsOk());
  ASSERT_THAT(peer_.Send(kP, "1 of q"), IsOk());
  ASSERT_THAT(other.Send(kP, "2 of r"), IsOk());
  ASSERT_THAT(peer_.Send(kP, "3 of q"), IsOk());
  ASSERT_THAT(other.Send(kP, "4 of r"), IsOk());
  EXPECT_EQ(DataOf(p_->Receive(r, Soon())), "2 of r");
  EXPECT_EQ(DataOf(p_->ReceiveAny(Soon())), "1 of q");
  EXPECT_EQ(DataOf(p_->ReceiveAny(Soon())), "3 of q");
  EXPECT_EQ(DataOf(p_->Receive(r, Soon())), "4 of r");
  EXPECT_THAT(p_->TryReceiveAny().status(), Fails(StatusCode::kUnavailable));
}

// ---- Sending

TEST_F(MessengerTest, SendWaitsWhileTheInboxIsFull) {
  Open(MessengerOptions(), /*peers_inbox=*/2);
  ASSERT_THAT(p_->Send(kQ, "0", Soon()), IsOk());
  ASSERT_THAT(p_->Send(kQ, "1", Soon()), IsOk());
  const absl::Time start = absl::Now();
  const absl::Status late = p_->Send(kQ, "too late", InAWhile());
  EXPECT_THAT(late, Fails(StatusCode::kDeadlineExceeded));
  EXPECT_THAT(std::string(late.message()), HasSubstr("was not sent"));
  EXPECT_GE(absl::Now() - start, kAWhile);
  EXPECT_THAT(p_->TrySend(kQ, "not now"), Fails(StatusCode::kUnavailable));
  std::thread sender(
      [this] { EXPECT_THAT(p_->Send(kQ, "2", Soon()), IsOk()); });
  EXPECT_THAT(peer_.Receive(kP), ElementsAre("0"));
  sender.join();
  EXPECT_THAT(peer_.Receive(kP, 2), ElementsAre("1", "2"));
}

TEST_F(MessengerTest, AFullInboxHoldsUpNobodyElse) {
  Open(MessengerOptions(), /*peers_inbox=*/1);
  MessengerPeer other;
  const std::string r = NewName();
  ASSERT_THAT(other.Open(r), IsOk());
  ASSERT_THAT(p_->Send(kQ, "fills it", Soon()), IsOk());
  std::thread sender(
      [this] { EXPECT_THAT(p_->Send(kQ, "waits", Soon()), IsOk()); });
  // Not other senders, nor what the held-up one sends to others or gets.
  EXPECT_THAT(other.Send(kQ, "r to q"), IsOk());
  EXPECT_THAT(p_->Send(r, "p to r", Soon()), IsOk());
  EXPECT_THAT(peer_.Send(kP, "q to p"), IsOk());
  EXPECT_EQ(DataOf(p_->Receive(kQ, Soon())), "q to p");
  EXPECT_THAT(other.Receive(kP), ElementsAre("p to r"));
  EXPECT_THAT(peer_.Receive(r), ElementsAre("r to q"));
  EXPECT_THAT(p_->TrySend(kQ, "still full"), Fails(StatusCode::kUnavailable));
  EXPECT_THAT(peer_.Receive(kP, 2), ElementsAre("fills it", "waits"));
  sender.join();
}

TEST_F(MessengerTest, TrySendDoesNotWaitForALink) {
  Open();
  absl::Status status = p_->TrySend(kQ, "0");
  EXPECT_THAT(status, Fails(StatusCode::kUnavailable));
  EXPECT_TRUE(Eventually([&] {
    status = p_->TrySend(kQ, "1");
    return status.ok();
  })) << status;
  EXPECT_THAT(peer_.Receive(kP), ElementsAre("1"));
}

TEST_F(MessengerTest, MessagesOfOneSenderComeInOrder) {
  constexpr int kMessages = 1000;
  MessengerOptions options;
  options.inbox_messages = 4;
  Open(options);
  peer_.Begin(SendNumbersCommand(kP, kMessages));
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_EQ(DataOf(p_->Receive(kQ, Soon())), absl::StrCat(i));
  }
  EXPECT_THAT(peer_.End(), IsOk());
}

TEST_F(MessengerTest, BothMaySendIntoFullInboxesAtOnce) {
  constexpr int kMessages = 300;
  MessengerOptions options;
  options.inbox_messages = 1;
  Open(options, /*peers_inbox=*/1);
  peer_.Begin(SendNumbersCommand(kP, kMessages));
  std::thread sender([this] {
    for (const std::string& number : Numbers(kMessages)) {
      ASSERT_THAT(p_->Send(kQ, number, Soon()), IsOk());
    }
  });
  for (int i = 0; i < kMessages; ++i) {
    EXPECT_EQ(DataOf(p_->Receive(kQ, Soon())), absl::StrCat(i));
  }
  EXPECT_THAT(peer_.End(), IsOk());
  EXPECT_EQ(peer_.Receive(kP, kMessages), Numbers(kMessages));
  sender.join();
}

TEST_F(MessengerTest, ManyThreadsMaySendAndReceive) {
  constexpr int kThreads = 8;
  constexpr int kMessages = 100;
  MessengerOptions options;
  options.inbox_messages = 3;
  Open(options, /*peers_inbox=*/3);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, thread] {
      for (int i = 0; i < kMessages; ++i) {
        ASSERT_THAT(p_->Send(kQ, absl::StrCat(thread, " ", i), Soon()), IsOk());
      }
    });
  }
  std::vector<int> next(kThreads, 0);
  for (const std::string& data : peer_.Receive(kP, kThreads * kMessages)) {
    const int thread = data[0] - '0';
    EXPECT_EQ(data, absl::StrCat(thread, " ", next[thread]++));
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(p_->links(), 1u);
}

TEST_F(MessengerTest, ManyThreadsThatSendFirstMakeOneLink) {
  Open();
  constexpr int kThreads = 16;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back(
        [this] { EXPECT_THAT(p_->Send(kQ, "hello", Soon()), IsOk()); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(p_->links(), 1u);
  EXPECT_EQ(peer_.Receive(kP, kThreads).size(), size_t{kThreads});
}

// ---- Sizes

TEST_F(MessengerTest, TheReceiverSaysHowLargeAMessageMayBe) {
  constexpr size_t kLimit = 10'000;
  p_ = OpenMessenger(kP);
  ASSERT_THAT(peer_.Open(kQ, 0, kLimit), IsOk());
  ASSERT_THAT(p_->Send(kQ, MakePayload(kLimit, 7), Soon()), IsOk());
  EXPECT_THAT(p_->Send(kQ, std::string(kLimit + 1, 'x'), Soon()),
              Fails(StatusCode::kResourceExhausted));
  EXPECT_THAT(p_->TrySend(kQ, std::string(kLimit + 1, 'x')),
              Fails(StatusCode::kResourceExhausted));
  // It has cost neither the link nor a place.
  ASSERT_THAT(p_->Send(kQ, "small", Soon()), IsOk());
  const std::vector<std::string> messages = peer_.Receive(kP, 2);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_TRUE(IsPayload(messages[0], kLimit, 7));
  EXPECT_EQ(messages[1], "small");
  // The other way, the other limit holds.
  ASSERT_THAT(peer_.Send(kP, std::string(kLimit + 1, 'x')), IsOk());
  EXPECT_EQ(DataOf(p_->Receive(kQ, Soon())).size(), kLimit + 1);
}

TEST_F(MessengerTest, LargeMessagesArriveWhole) {
  constexpr size_t kBytes = size_t{64} << 20;
  MessengerOptions options;
  options.max_message_bytes = kBytes;
  auto p = OpenMessenger(NewName(), options);
  auto q = OpenMessenger(NewName(), options);
  const std::string payload = MakePayload(kBytes, 3);
  ASSERT_THAT(p->Send(q->name(), payload, Soon()), IsOk());
  absl::StatusOr<Messenger::Message> message = q->Receive(p->name(), Soon());
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_TRUE(IsPayload(message->data, kBytes, 3));
}

// ---- To oneself

TEST_F(MessengerTest, MaySendToItself) {
  MessengerOptions options;
  options.inbox_messages = 2;
  options.max_message_bytes = 100;
  auto p = OpenMessenger(kP, options);
  ASSERT_THAT(p->Send(kP, "0"), IsOk());
  ASSERT_THAT(p->TrySend(kP, "1"), IsOk());
  EXPECT_THAT(p->TrySend(kP, "2"), Fails(StatusCode::kUnavailable));
  EXPECT_THAT(p->Send(kP, "2", InAWhile()),
              Fails(StatusCode::kDeadlineExceeded));
  EXPECT_EQ(DataOf(p->TryReceive(kP)), "0");
  EXPECT_THAT(p->Send(kP, std::string(101, 'x')),
              Fails(StatusCode::kResourceExhausted));
  ASSERT_THAT(p->Send(kP, "3"), IsOk());
  std::thread sender([&] { EXPECT_THAT(p->Send(kP, "4", Soon()), IsOk()); });
  EXPECT_EQ(DataOf(p->ReceiveAny(Soon())), "1");
  sender.join();
  absl::StatusOr<Messenger::Message> message = p->ReceiveAny(Soon());
  ASSERT_TRUE(message.ok());
  EXPECT_EQ(message->data, "3");
  EXPECT_EQ(message->sender, kP);
  EXPECT_EQ(p->links(), 0u);
}

// ---- Names

TEST_F(MessengerTest, ANameIsOneMessengersAlone) {
  Open();
  EXPECT_THAT(Messenger::Open(kQ).status(), Fails(StatusCode::kAlreadyExists));
  EXPECT_THAT(Messenger::Open(kP).status(), Fails(StatusCode::kAlreadyExists));
  MessengerPeer other;
  EXPECT_THAT(other.Open(kP), Fails(StatusCode::kAlreadyExists));
  p_->Close();
  EXPECT_THAT(other.Open(kP), IsOk());
  ASSERT_THAT(other.Send(kQ, "of the new one"), IsOk());
  EXPECT_THAT(peer_.Receive(kP), ElementsAre("of the new one"));
}

TEST_F(MessengerTest, AServersNameIsTaken) {
  ServerConfig config;
  config.add_addresses("shm:" + kP);
  auto server = TestServer::Start(Transport::kShm, config);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_THAT(Messenger::Open(kP).status(), Fails(StatusCode::kAlreadyExists));
}

TEST_F(MessengerTest, WhatIsNoNameIsRefused) {
  auto p = OpenMessenger(kP);
  for (const std::string& name :
       {std::string(), std::string(".hidden"), std::string("a/b"),
        std::string("shm:a"), std::string(65, 'a'), std::string("\0", 1)}) {
    EXPECT_THAT(Messenger::Open(name).status(),
                Fails(StatusCode::kInvalidArgument));
    EXPECT_THAT(p->Send(name, ""), Fails(StatusCode::kInvalidArgument));
    EXPECT_THAT(p->TrySend(name, ""), Fails(StatusCode::kInvalidArgument));
    EXPECT_THAT(p->Receive(name).status(), Fails(StatusCode::kInvalidArgument));
    EXPECT_THAT(p->TryReceive(name).status(),
                Fails(StatusCode::kInvalidArgument));
  }
}

TEST_F(MessengerTest, OptionsOutOfRangeAreRefused) {
  MessengerOptions options;
  options.inbox_messages = 0;
  EXPECT_THAT(Messenger::Open(kP, options).status(),
              Fails(StatusCode::kInvalidArgument));
  options = MessengerOptions();
  options.max_message_bytes = (size_t{1} << 30) + 1;
  EXPECT_THAT(Messenger::Open(kP, options).status(),
              Fails(StatusCode::kInvalidArgument));
}

TEST_F(MessengerTest, SendingToNobodyFailsAtOnce) {
  auto p = OpenMessenger(kP);
  EXPECT_THAT(p->Send(kQ, "hello", Soon()), Fails(StatusCode::kUnavailable));
  EXPECT_THAT(p->TrySend(kQ, "hello"), Fails(StatusCode::kUnavailable));
  EXPECT_EQ(p->links(), 0u);
}

TEST_F(MessengerTest, SendingToNobodyWaitsWithWaitForReady) {
  MessengerOptions options;
  options.wait_for_ready = true;
  auto p = OpenMessenger(kP, options);
  EXPECT_THAT(p->Send(kQ, "too early", InAWhile()),
              Fails(StatusCode::kDeadlineExceeded));
  std::thread sender(
      [&] { EXPECT_THAT(p->Send(kQ, "hello", Soon()), IsOk()); });
  EXPECT_THAT(peer_.Open(kQ), IsOk());
  EXPECT_THAT(peer_.Receive(kP), ElementsAre("hello"));
  sender.join();
}

TEST_F(MessengerTest, AServerIsNoMessenger) {
  ServerConfig config;
  config.add_addresses("shm:" + kQ);
  auto server = TestServer::Start(Transport::kShm, config);
  ASSERT_TRUE(server.ok()) << server.status();
  auto p = OpenMessenger(kP);
  EXPECT_THAT(p->Send(kQ, "hello", Soon()),
              Fails(StatusCode::kFailedPrecondition));
}

TEST_F(MessengerTest, AnotherUsersMessengerIsOutOfReach) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  auto p = OpenMessenger(kP);
  ControlRequest request;
  request.set_become_user(65534);
  ASSERT_EQ(peer_.process().Command(request).code(), 0);
  // The rendezvous directory is not that user's.
  EXPECT_THAT(peer_.Open(kQ), Fails(StatusCode::kPermissionDenied));
}

// ---- The end

TEST_F(MessengerTest, CloseEndsWhateverWaits) {
  MessengerOptions options;
  options.wait_for_ready = true;
  Open(options, /*peers_inbox=*/1);
  ASSERT_THAT(p_->Send(kQ, "fills it", Soon()), IsOk());
  ASSERT_THAT(p_->TrySend(kP, "fills mine"), IsOk());
  const std::string nobody = NewName();
  std::vector<std::function<absl::Status()>> waits = {
      [&] { return p_->Send(kQ, "no place"); },
      [&] { return p_->Send(nobody, "nobody there"); },
      [&] { return p_->Receive(kQ).status(); },
      [&] { return p_->Receive(nobody).status(); },
  };
  std::vector<std::thread> threads;
  for (const auto& wait : waits) {
    threads.emplace_back(
        [&] { EXPECT_THAT(wait(), Fails(StatusCode::kCancelled)); });
  }
  p_->Close(Soon());
  for (std::thread& thread : threads) thread.join();
  // And so does what comes later, whether there would be something or not.
  for (const auto& wait : waits) {
    EXPECT_THAT(wait(), Fails(StatusCode::kCancelled));
  }
  EXPECT_THAT(p_->ReceiveAny().status(), Fails(StatusCode::kCancelled));
  EXPECT_THAT(p_->TryReceiveAny().status(), Fails(StatusCode::kCancelled));
  EXPECT_THAT(p_->TrySend(kQ, ""), Fails(StatusCode::kCancelled));
  EXPECT_EQ(p_->links(), 0u);
  p_->Close();
}

TEST_F(MessengerTest, CloseLetsArriveWhatWasSent) {
  constexpr int kMessages = 64;
  Open(MessengerOptions(), /*peers_inbox=*/kMessages + 1);
  Link();
  for (const std::string& number : Numbers(kMessages)) {
    ASSERT_THAT(p_->TrySend(kQ, number), IsOk());
  }
  p_->Close(Soon());
  EXPECT_EQ(peer_.Receive(kP, kMessages), Numbers(kMessages));
}

TEST_F(MessengerTest, CloseByTheReceiverFailsItsSenders) {
  MessengerOptions options;
  options.inbox_messages = 1;
  Open(options);
  ASSERT_THAT(peer_.Send(kP, "fills it"), IsOk());
  peer_.Begin(SendCommand(kP, "waits"));
  p_->Close(Soon());
  EXPECT_THAT(peer_.End(), Fails(StatusCode::kUnavailable));
}

TEST_F(MessengerTest, DestructionFailsSendersAndLeavesNothing) {
  MessengerOptions options;
  options.inbox_messages = 1;
  Open(options);
  ASSERT_THAT(peer_.Send(kP, "fills it"), IsOk());
  peer_.Begin(SendCommand(kP, "waits"));
  p_.reset();
  EXPECT_THAT(peer_.End(), Fails(StatusCode::kUnavailable));
  for (const pid_t pid : {getpid(), peer_.process().pid()}) {
    EXPECT_TRUE(Eventually([pid] {
      return ResourcesOf(pid).memfd_mappings == 0;
    })) << ResourcesOf(pid);
  }
  EXPECT_THAT(LeftOf("shm:" + kP), ElementsAre());
}

TEST_F(MessengerTest, BothMayCloseAtOnce) {
  for (int round = 0; round < 20; ++round) {
    Open();
    Link();
    ASSERT_THAT(peer_.SendNumbers(kP, 3), IsOk());
    MessengerCommand close;
    close.set_close(true);
    peer_.Begin(close);
    p_->Close(Soon());
    EXPECT_THAT(peer_.End(), IsOk());
  }
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
