// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// The service in a process of its own, its clients here and elsewhere, through
// shared memory, a unix socket and TCP.

#include "transport/mailbox_service.h"

#include <unistd.h>

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "tests/integration/byte_buffers.h"
#include "tests/integration/child_process.h"
#include "tests/integration/mailbox_client.h"
#include "tests/integration/payload.h"
#include "tests/integration/process_resources.h"
#include "tests/integration/transport_test.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/channel.h"
#include "transport/mailbox.h"

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::ElementsAre;

// Long enough to see that something waits, short enough for a test.
constexpr absl::Duration kAWhile = absl::Milliseconds(50);

class MailboxServiceTest : public ::testing::TestWithParam<std::string> {
 protected:
  MailboxServiceTest() { StartServer(); }

  void StartServer() {
    server_ = std::make_unique<ChildProcess>("mailbox_process");
    const std::string shm = NewAddress(Transport::kShm);
    const std::string unix_socket = NewAddress(Transport::kUnix);
    ControlRequest request;
    request.mutable_start()->add_addresses(shm);
    request.mutable_start()->add_addresses(unix_socket);
    const ControlReply reply = server_->Command(request);
    EXPECT_EQ(reply.code(), 0) << reply.message();
    if (GetParam() == "shm") {
      target_ = shm;
    } else if (GetParam() == "unix") {
      target_ = unix_socket;
    } else {
      target_ = absl::StrCat("127.0.0.1:", reply.count());
    }
    channel_ = CreateChannel(target_);
    client_ = std::make_unique<MailboxClient>(channel_);
  }

  void Create(const v1::Capacity& capacity) {
    ASSERT_THAT(client_->Create(kName, capacity), IsOk());
  }

  v1::MailboxDescription Describe() {
    v1::MailboxDescription description;
    EXPECT_THAT(client_->Describe(kName, &description), IsOk());
    return description;
  }

  // For this process.
  std::unique_ptr<Mailbox> OpenHere() {
    auto mailbox = Mailbox::Open("mailbox:" + kName);
    EXPECT_TRUE(mailbox.ok()) << mailbox.status();
    return *std::move(mailbox);
  }

  const std::string kName = "box";
  TemporaryMailboxes temporary_;
  std::unique_ptr<ChildProcess> server_;
  std::string target_;
  ChannelPtr channel_;
  std::unique_ptr<MailboxClient> client_;
};

INSTANTIATE_TEST_SUITE_P(Transports, MailboxServiceTest,
                         ::testing::Values("shm", "unix", "tcp"),
                         [](const auto& info) { return info.param; });

// ---- Mailboxes

TEST_P(MailboxServiceTest, CreatesDescribesListsAndDestroys) {
  ASSERT_THAT(client_->Create(kName, Bounded(3), 1000), IsOk());
  EXPECT_THAT(client_->Create(kName, Bounded(3)),
              HasCode(grpc::StatusCode::ALREADY_EXISTS));
  ASSERT_THAT(client_->Send(kName, "hello"), IsOk());
  const v1::MailboxDescription description = Describe();
  EXPECT_EQ(description.name(), kName);
  EXPECT_EQ(description.capacity().bounded(), 3u);
  EXPECT_EQ(description.max_message_bytes(), 1000u);
  EXPECT_EQ(description.waiting(), 1u);
  EXPECT_EQ(description.sent(), 1u);
  EXPECT_EQ(description.received(), 0u);
  EXPECT_THAT(client_->List(), ElementsAre(kName));
  EXPECT_THAT(client_->Destroy(kName), IsOk());
  EXPECT_THAT(client_->Destroy(kName), HasCode(grpc::StatusCode::NOT_FOUND));
  EXPECT_THAT(client_->List(), ElementsAre());
  EXPECT_THAT(temporary_.Files(), ElementsAre());
}

TEST_P(MailboxServiceTest, KnowsAllCapacities) {
  Create(Rendezvous());
  EXPECT_TRUE(Describe().capacity().rendezvous());
  ASSERT_THAT(client_->Destroy(kName), IsOk());
  ASSERT_THAT(client_->Create(kName, Unbounded(), 100, 1 << 20), IsOk());
  EXPECT_TRUE(Describe().capacity().unbounded());
  EXPECT_EQ(Describe().max_memory_bytes(), uint64_t{1} << 20);
}

TEST_P(MailboxServiceTest, RefusesWhatIsNoMailbox) {
  v1::ReceivedMessage message;
  const auto not_found = HasCode(grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(client_->Describe(kName), not_found);
  EXPECT_THAT(client_->Send(kName, ""), not_found);
  EXPECT_THAT(client_->Receive(kName, &message), not_found);
  EXPECT_THAT(MailboxSubscriber(*client_, kName).Finish(), not_found);
  const auto invalid = HasCode(grpc::StatusCode::INVALID_ARGUMENT);
  for (const char* name : {"", "a/b", ".a"}) {
    EXPECT_THAT(client_->Create(name, Bounded(1)), invalid);
    EXPECT_THAT(client_->Destroy(name), invalid);
    EXPECT_THAT(client_->Describe(name), invalid);
    EXPECT_THAT(client_->Send(name, ""), invalid);
    EXPECT_THAT(client_->Receive(name, &message), invalid);
    EXPECT_THAT(MailboxSubscriber(*client_, name).Finish(), invalid);
  }
  EXPECT_THAT(client_->Create(kName, v1::Capacity()), invalid);
  EXPECT_THAT(client_->Create(kName, Bounded(0)), invalid);
}

// ---- Messages

TEST_P(MailboxServiceTest, CarriesMessagesInOrder) {
  Create(Bounded(10));
  for (int i = 0; i < 10; ++i) {
    ASSERT_THAT(client_->Send(kName, absl::StrCat(i)), IsOk());
  }
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(client_->Receive(kName), absl::StrCat(i));
  }
  EXPECT_EQ(Describe().received(), 10u);
  EXPECT_TRUE(Eventually([this] { return Describe().unacknowledged() == 0; }));
}

TEST_P(MailboxServiceTest, CarriesAnyBytesUpToTheLimit) {
  constexpr size_t kLimit = size_t{1} << 20;
  ASSERT_THAT(client_->Create(kName, Bounded(2), kLimit), IsOk());
  for (const size_t bytes : {size_t{0}, kLimit}) {
    ASSERT_THAT(client_->Send(kName, MakePayload(bytes, 5)), IsOk());
    EXPECT_TRUE(IsPayload(client_->Receive(kName), bytes, 5));
  }
  EXPECT_THAT(client_->Send(kName, std::string(kLimit + 1, 'x')),
              HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
}

TEST_P(MailboxServiceTest, SharesMailboxesWithLocalProcesses) {
  Create(Bounded(2));
  auto here = OpenHere();
  ASSERT_TRUE(here->TrySend("from here").ok());
  v1::ReceivedMessage message;
  ASSERT_THAT(client_->Receive(kName, &message), IsOk());
  EXPECT_EQ(message.data(), "from here");
  EXPECT_EQ(message.sender_pid(), getpid());
  EXPECT_FALSE(message.redelivered());
  ASSERT_THAT(client_->Send(kName, "from there"), IsOk());
  auto received = here->TryReceive();
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(received->view(), "from there");
  EXPECT_EQ(received->sender(), server_->pid());
  received->Acknowledge();
}

TEST_P(MailboxServiceTest, ReceiveBlocksUntilThereIsAMessage) {
  Create(Bounded(2));
  std::thread receiver([this] { EXPECT_EQ(client_->Receive(kName), "hello"); });
  EXPECT_THAT(client_->Send(kName, "hello"), IsOk());
  receiver.join();
}

TEST_P(MailboxServiceTest, ReceiveBlocksUntilItsDeadline) {
  Create(Bounded(2));
  v1::ReceivedMessage message;
  EXPECT_THAT(client_->Receive(kName, &message, kAWhile),
              HasCode(grpc::StatusCode::DEADLINE_EXCEEDED));
}

TEST_P(MailboxServiceTest, ReceiveMayNotWait) {
  Create(Bounded(2));
  EXPECT_FALSE(client_->TryReceive(kName).has_message());
  ASSERT_THAT(client_->Send(kName, "hello"), IsOk());
  EXPECT_EQ(client_->TryReceive(kName).message().data(), "hello");
}

TEST_P(MailboxServiceTest, SendBlocksWhileTheMailboxIsFull) {
  Create(Bounded(1));
  ASSERT_TRUE(client_->TrySend(kName, "0"));
  EXPECT_FALSE(client_->TrySend(kName, "1"));
  EXPECT_THAT(client_->Send(kName, "2", kAWhile),
              HasCode(grpc::StatusCode::DEADLINE_EXCEEDED));
  std::thread sender(
      [this] { EXPECT_THAT(client_->Send(kName, "3"), IsOk()); });
  EXPECT_EQ(client_->Receive(kName), "0");
  // The one that gave up may have been sent: it was room that it waited for.
  std::string next = client_->Receive(kName);
  if (next == "2") next = client_->Receive(kName);
  EXPECT_EQ(next, "3");
  sender.join();
}

TEST_P(MailboxServiceTest, ARendezvousBringsBothTogether) {
  Create(Rendezvous());
  EXPECT_FALSE(client_->TrySend(kName, "0"));
  EXPECT_FALSE(client_->TryReceive(kName).has_message());
  std::thread sender(
      [this] { EXPECT_THAT(client_->Send(kName, "1"), IsOk()); });
  EXPECT_EQ(client_->Receive(kName), "1");
  sender.join();
}

TEST_P(MailboxServiceTest, AReceiverThatGaveUpTakesNothing) {
  Create(Bounded(2));
  auto here = OpenHere();
  // The service has it open from here on, for whoever wants something first.
  EXPECT_FALSE(client_->TryReceive(kName).has_message());
  auto context = NewContext();
  v1::ReceivedMessage message;
  std::thread receiver([&] {
    EXPECT_THAT(client_->Receive(kName, &message, context.get()),
                HasCode(grpc::StatusCode::CANCELLED));
  });
  // This process has it open, the service does, and once more when somebody
  // has begun to wait.
  EXPECT_TRUE(Eventually([&] {
    EXPECT_FALSE(client_->TryReceive(kName).has_message());
    return here->Describe().participants == 3;
  }));
  context->TryCancel();
  receiver.join();
  EXPECT_TRUE(Eventually([&] { return here->Describe().participants == 2; }));
  ASSERT_TRUE(here->TrySend("hello").ok());
  auto received = here->TryReceive();
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_FALSE(received->redelivered());
  received->Acknowledge();
}

TEST_P(MailboxServiceTest, DestroyingAMailboxEndsWhatWaitsThere) {
  Create(Bounded(1));
  auto here = OpenHere();
  v1::ReceivedMessage message;
  std::thread receiver([&] {
    EXPECT_THAT(client_->Receive(kName, &message),
                HasCode(grpc::StatusCode::NOT_FOUND));
  });
  MailboxSubscriber subscriber(*client_, kName);
  EXPECT_TRUE(Eventually([&] { return here->Describe().participants > 1; }));
  ASSERT_TRUE(Mailbox::Destroy("mailbox:" + kName).ok());
  receiver.join();
  EXPECT_THAT(subscriber.Finish(), HasCode(grpc::StatusCode::NOT_FOUND));
  // Another one of that name is another one.
  Create(Bounded(1));
  EXPECT_THAT(client_->Send(kName, "hello"), IsOk());
  EXPECT_EQ(client_->Receive(kName), "hello");
}

TEST_P(MailboxServiceTest, CallsThatWaitHoldNoThreads) {
  constexpr int kCalls = 200;
  Create(Bounded(1));
  ASSERT_THAT(client_->Send(kName, "warm"), IsOk());
  EXPECT_EQ(client_->Receive(kName), "warm");
  const int before = ResourcesOf(server_->pid()).threads;
  struct Call {
    std::unique_ptr<grpc::ClientContext> context = NewContext();
    v1::ReceiveResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::ReceiveResponse>>
        reader;
  };
  grpc::CompletionQueue queue;
  v1::ReceiveRequest request;
  request.set_name(kName);
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < kCalls; ++i) {
    calls.push_back(std::make_unique<Call>());
    Call& call = *calls.back();
    call.reader =
        client_->stub().AsyncReceive(call.context.get(), request, &queue);
    call.reader->Finish(&call.response, &call.status, &call);
  }
  for (int i = 0; i < kCalls; ++i) {
    ASSERT_THAT(client_->Send(kName, absl::StrCat(i)), IsOk());
    EXPECT_LE(ResourcesOf(server_->pid()).threads, before + 20);
  }
  std::set<std::string> received;
  for (int i = 0; i < kCalls; ++i) {
    void* tag;
    bool ok;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    const Call& call = *static_cast<Call*>(tag);
    EXPECT_THAT(call.status, IsOk());
    received.insert(call.response.message().data());
  }
  EXPECT_EQ(received.size(), size_t{kCalls});
  queue.Shutdown();
}

// No generated code: what a client of any language has.
TEST_P(MailboxServiceTest, AnyClientWillDo) {
  Create(Bounded(1));
  grpc::GenericStub stub(channel_);
  grpc::CompletionQueue queue;
  const auto call = [&](const std::string& method, const auto& request,
                        auto* response) {
    grpc::ByteBuffer received;
    grpc::Status status;
    auto context = NewContext();
    auto reader =
        stub.PrepareUnaryCall(context.get(), "/grpc_shm.v1.Mailboxes/" + method,
                              ToBuffer(request), &queue);
    reader->StartCall();
    reader->Finish(&received, &status, nullptr);
    void* tag;
    bool ok;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    EXPECT_THAT(status, IsOk());
    EXPECT_TRUE(FromBuffer(std::move(received), response));
  };
  v1::SendRequest send;
  send.set_name(kName);
  send.set_data("hello");
  v1::SendResponse sent;
  call("Send", send, &sent);
  v1::ReceiveRequest receive;
  receive.set_name(kName);
  v1::ReceiveResponse received;
  call("Receive", receive, &received);
  EXPECT_EQ(received.message().data(), "hello");
  queue.Shutdown();
}

// ---- Subscriptions

TEST_P(MailboxServiceTest, ASubscriptionDeliversUntilItIsEnded) {
  Create(Bounded(3));
  MailboxSubscriber subscriber(*client_, kName);
  for (uint64_t i = 1; i <= 20; ++i) {
    ASSERT_THAT(client_->Send(kName, absl::StrCat(i)), IsOk());
    EXPECT_EQ(subscriber.Read(), absl::StrCat(i));
    ASSERT_TRUE(subscriber.Acknowledge({i}));
  }
  EXPECT_THAT(subscriber.End(), IsOk());
  const v1::MailboxDescription description = Describe();
  EXPECT_EQ(description.waiting() + description.unacknowledged(), 0u);
  EXPECT_EQ(description.redelivered(), 0u);
}

TEST_P(MailboxServiceTest, ASubscriptionTakesNoMoreThanItMay) {
  Create(Bounded(10));
  for (int i = 1; i <= 4; ++i) {
    ASSERT_THAT(client_->Send(kName, absl::StrCat(i)), IsOk());
  }
  MailboxSubscriber subscriber(*client_, kName, /*max_unacknowledged=*/2);
  EXPECT_EQ(subscriber.Read(), "1");
  EXPECT_EQ(subscriber.Read(), "2");
  EXPECT_EQ(Describe().unacknowledged(), 2u);
  EXPECT_EQ(Describe().waiting(), 2u);
  ASSERT_TRUE(subscriber.Acknowledge({2}));
  EXPECT_EQ(subscriber.Read(), "3");
  EXPECT_EQ(Describe().waiting(), 1u);
  ASSERT_TRUE(subscriber.Acknowledge({1, 3}));
  EXPECT_EQ(subscriber.Read(), "4");
  EXPECT_THAT(subscriber.End(), IsOk());
  EXPECT_EQ(client_->Receive(kName), "4");
}

TEST_P(MailboxServiceTest, WhatABrokenStreamHadNotAcknowledgedComesAgain) {
  Create(Bounded(10));
  for (int i = 1; i <= 4; ++i) {
    ASSERT_THAT(client_->Send(kName, absl::StrCat(i)), IsOk());
  }
  MailboxSubscriber broken(*client_, kName, 3);
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(broken.Read(), absl::StrCat(i));
  ASSERT_TRUE(broken.Acknowledge({2}));
  // Which has been heard when this comes.
  EXPECT_EQ(broken.Read(), "4");
  broken.Cancel();
  EXPECT_THAT(broken.Finish(), HasCode(grpc::StatusCode::CANCELLED));
  MailboxSubscriber next(*client_, kName);
  std::set<std::string> again;
  for (int i = 0; i < 3; ++i) {
    v1::SubscribeResponse response;
    ASSERT_TRUE(next.Read(&response));
    EXPECT_TRUE(response.message().redelivered());
    again.insert(response.message().data());
  }
  EXPECT_THAT(again, ElementsAre("1", "3", "4"));
}

TEST_P(MailboxServiceTest, AKilledSubscribersMessagesComeAgain) {
  Create(Bounded(10));
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(client_->Send(kName, absl::StrCat(i)), IsOk());
  }
  ChildProcess subscriber("mailbox_process");
  ControlRequest request;
  request.mutable_subscribe()->set_target(target_);
  request.mutable_subscribe()->set_mailbox(kName);
  request.mutable_subscribe()->set_count(3);
  ASSERT_EQ(subscriber.Command(request).messages_size(), 3);
  EXPECT_FALSE(client_->TryReceive(kName).has_message());
  subscriber.Kill();
  std::set<std::string> again;
  for (int i = 0; i < 3; ++i) {
    v1::ReceivedMessage message;
    ASSERT_THAT(client_->Receive(kName, &message), IsOk());
    EXPECT_TRUE(message.redelivered());
    again.insert(message.data());
  }
  EXPECT_THAT(again, ElementsAre("0", "1", "2"));
}

TEST_P(MailboxServiceTest, AKilledServersMessagesComeAgain) {
  Create(Bounded(10));
  ASSERT_THAT(client_->Send(kName, "hello"), IsOk());
  MailboxSubscriber subscriber(*client_, kName);
  EXPECT_EQ(subscriber.Read(), "hello");
  server_->Kill();
  EXPECT_THAT(subscriber.Finish(), HasCode(grpc::StatusCode::UNAVAILABLE));
  auto here = OpenHere();
  auto received = here->Receive(absl::Now() + kPatience);
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(received->view(), "hello");
  EXPECT_TRUE(received->redelivered());
  received->GiveBack();
  // Another server serves the same mailbox.
  StartServer();
  EXPECT_EQ(client_->Receive(kName), "hello");
}

// Whenever a stream breaks: every message is received, and only those that come
// again are so twice.
TEST_P(MailboxServiceTest, StreamsThatBreakLoseNothing) {
  constexpr int kMessages = 200;
  Create(Bounded(8));
  std::thread sender([this] {
    auto here = OpenHere();
    for (int i = 0; i < kMessages; ++i) {
      ASSERT_TRUE(here->Send(absl::StrCat(i), absl::Now() + kPatience).ok());
    }
  });
  std::set<int> seen;
  for (int round = 0; seen.size() < kMessages; ++round) {
    MailboxSubscriber subscriber(*client_, kName, 1 + round % 4);
    const int reads = 1 + round % 7;
    for (int i = 0; i < reads && seen.size() < kMessages; ++i) {
      v1::SubscribeResponse response;
      ASSERT_TRUE(subscriber.Read(&response));
      int number;
      ASSERT_TRUE(absl::SimpleAtoi(response.message().data(), &number));
      EXPECT_TRUE(seen.insert(number).second ||
                  response.message().redelivered())
          << number;
      // All but the last.
      if (i + 1 < reads) subscriber.Acknowledge({response.id()});
    }
    if (round % 2 == 0) {
      subscriber.Cancel();
      subscriber.Finish();
    } else {
      EXPECT_THAT(subscriber.End(), IsOk());
    }
  }
  sender.join();
}

TEST_P(MailboxServiceTest, ASubscriptionMustMakeSense) {
  Create(Bounded(10));
  ASSERT_THAT(client_->Send(kName, "1"), IsOk());
  const auto invalid = HasCode(grpc::StatusCode::INVALID_ARGUMENT);
  {
    MailboxSubscriber subscriber(*client_, kName);
    EXPECT_EQ(subscriber.Read(), "1");
    subscriber.Acknowledge({2});
    EXPECT_THAT(subscriber.Finish(), invalid);
  }
  {
    MailboxSubscriber subscriber(*client_, kName);
    EXPECT_EQ(subscriber.Read(), "1");
    v1::SubscribeRequest again;
    again.set_name(kName);
    subscriber.Write(again);
    EXPECT_THAT(subscriber.Finish(), invalid);
  }
  {
    MailboxSubscriber subscriber(*client_, kName);
    EXPECT_EQ(subscriber.Read(), "1");
    subscriber.Acknowledge({1, 1});
    EXPECT_THAT(subscriber.Finish(), invalid);
  }
  EXPECT_FALSE(client_->TryReceive(kName).has_message());
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
