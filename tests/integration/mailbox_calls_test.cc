// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What calls through a mailbox have that no other calls have: they wait for a
// server, and servers compete for them. (Everything else is shown by the bodies
// that run over all transports.)

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"
#include "transport/mailbox.h"
#include "transport/options.h"

namespace grpc_shm {
namespace testing {
namespace {

using grpc::StatusCode;

// A unary call that runs until it is waited for.
class PendingCall {
 public:
  explicit PendingCall(const ChannelPtr& channel, const Script& script = {},
                       bool wait_for_ready = false,
                       absl::Duration timeout = kPatience)
      : context_(NewContext(script, timeout)) {
    context_->set_wait_for_ready(wait_for_ready);
    call_ = StartCall(StubFlavour::kCallback, UNARY, channel, context_.get(),
                      PatternRequest(10, 1));
  }
  ~PendingCall() {
    if (call_ == nullptr) return;
    context_->TryCancel();
    Finish();
  }

  void Cancel() { context_->TryCancel(); }
  grpc::Status Finish() {
    EchoReply reply;
    call_->Read(&reply);
    const grpc::Status status = call_->Finish();
    call_.reset();
    return status;
  }

 private:
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<ClientCall> call_;
};

class MailboxCallsTest : public ::testing::Test {
 protected:
  MailboxCallsTest() : address_(NewAddress(Transport::kMailbox)) {}
  ~MailboxCallsTest() override { Mailbox::Destroy(address_).IgnoreError(); }

  void CreateMailbox(MailboxCapacity capacity = MailboxCapacity::Bounded(64)) {
    MailboxOptions options;
    options.capacity = capacity;
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
        Mailbox::Create(address_, options);
    ASSERT_TRUE(mailbox.ok()) << mailbox.status();
    mailbox_ = *std::move(mailbox);
  }

  // One more server at the mailbox, which it makes if need be.
  std::unique_ptr<TestServer> NewServer(
      int max_calls = 1, Transport transport = Transport::kMailbox) {
    ServerConfig config;
    config.add_addresses(address_);
    config.set_max_mailbox_calls(max_calls);
    absl::StatusOr<std::unique_ptr<TestServer>> server =
        TestServer::Start(transport, config);
    EXPECT_TRUE(server.ok()) << server.status();
    return server.ok() ? *std::move(server) : nullptr;
  }

  ChannelPtr NewChannel(bool fails_when_full = false) {
    grpc::ChannelArguments arguments;
    if (fails_when_full) arguments.SetInt(kFailWhenFullArg, 1);
    return MakeChannel(address_, arguments);
  }

  // Until so many offers are in the mailbox, taken or not.
  void AwaitWaiting(uint64_t count) {
    const absl::Time end = absl::Now() + kPatience;
    while (mailbox_->Describe().waiting != count && absl::Now() < end)
      absl::SleepFor(absl::Milliseconds(1));
    EXPECT_EQ(mailbox_->Describe().waiting, count);
  }

  // A server that has not been given such a script can't have noted it.
  static int64_t Runs(TestServer* server, const std::string& key) {
    return server->CountEvents(key, "started");
  }

  const std::string address_;
  std::unique_ptr<Mailbox> mailbox_;
};

// ---- Servers

TEST_F(MailboxCallsTest, ABusyServerIsLeftAlone) {
  CreateMailbox();
  const auto first = NewServer();
  const ChannelPtr channel = NewChannel();
  PendingCall held(channel, MakeScript("held", {WaitForGate("gate")}));
  ASSERT_NE(first->AwaitEvent("held", "started"), 0);
  PendingCall waiting(channel, MakeScript("waiting"));
  AwaitWaiting(1);
  // Another one comes, and takes all there is.
  const auto second = NewServer();
  EXPECT_THAT(waiting.Finish(), IsOk());
  for (int i = 0; i < 10; ++i)
    EXPECT_THAT(CallUnary(channel, MakeScript("more")), IsOk());
  EXPECT_EQ(Runs(second.get(), "waiting"), 1);
  EXPECT_EQ(Runs(second.get(), "more"), 10);
  first->OpenGate("gate");
  EXPECT_THAT(held.Finish(), IsOk());
}

TEST_F(MailboxCallsTest, AServerHasAsManyCallsAsItHasPlaces) {
  for (Transport transport :
       {Transport::kMailbox, Transport::kMailboxUniversal}) {
    CreateMailbox();
    const auto server = NewServer(3, transport);
    const ChannelPtr channel = NewChannel();
    std::vector<std::unique_ptr<PendingCall>> calls;
    for (int i = 0; i < 5; ++i) {
      calls.push_back(std::make_unique<PendingCall>(
          channel, MakeScript("held", {WaitForGate("gate")})));
    }
    ASSERT_NE(server->AwaitEvent("held", "started", 3), 0);
    AwaitWaiting(2);
    server->OpenGate("gate");
    for (auto& call : calls) EXPECT_THAT(call->Finish(), IsOk());
    EXPECT_EQ(Runs(server.get(), "held"), 5);
    mailbox_.reset();
    ASSERT_TRUE(Mailbox::Destroy(address_).ok());
  }
}

TEST_F(MailboxCallsTest, ALeavingServerFinishesWhatItTook) {
  CreateMailbox();
  const auto leaving = NewServer();
  const ChannelPtr channel = NewChannel();
  PendingCall held(channel, MakeScript("held", {WaitForGate("gate")}));
  ASSERT_NE(leaving->AwaitEvent("held", "started"), 0);
  leaving->BeginShutdown();
  PendingCall next(channel, MakeScript("next"));
  AwaitWaiting(1);
  const auto staying = NewServer();
  EXPECT_THAT(next.Finish(), IsOk());
  EXPECT_EQ(Runs(staying.get(), "next"), 1);
  leaving->OpenGate("gate");
  EXPECT_THAT(held.Finish(), IsOk());
  EXPECT_NE(leaving->AwaitEvent("server", "shutdown"), 0);
  EXPECT_THAT(CallUnary(channel), IsOk());
}

TEST_F(MailboxCallsTest, AServerMakesTheMailboxIfThereIsNone) {
  const auto first = NewServer();
  const auto second = NewServer();
  EXPECT_THAT(CallUnary(NewChannel()), IsOk());
}

TEST_F(MailboxCallsTest, CallersShareTheMailbox) {
  CreateMailbox();
  const auto first = NewServer();
  const auto second = NewServer();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      const ChannelPtr channel = NewChannel();
      for (int j = 0; j < 50; ++j)
        EXPECT_THAT(CallUnary(channel, MakeScript("shared")), IsOk());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Runs(first.get(), "shared") + Runs(second.get(), "shared"), 200);
}

// ---- Waiting

TEST_F(MailboxCallsTest, ACallWaitsForTheFirstServer) {
  CreateMailbox();
  const ChannelPtr channel = NewChannel();
  PendingCall call(channel);
  AwaitWaiting(1);
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_READY);
  const auto server = NewServer();
  EXPECT_THAT(call.Finish(), IsOk());
}

TEST_F(MailboxCallsTest, ACallThatExpiredWhileItWaitedIsNotRun) {
  CreateMailbox();
  const ChannelPtr channel = NewChannel();
  PendingCall call(channel, MakeScript("expired"), false,
                   absl::Milliseconds(50));
  EXPECT_THAT(call.Finish(), HasCode(StatusCode::DEADLINE_EXCEEDED));
  const auto server = NewServer();
  EXPECT_THAT(CallUnary(channel), IsOk());
  EXPECT_EQ(Runs(server.get(), "expired"), 0);
}

TEST_F(MailboxCallsTest, ACallThatWasCancelledWhileItWaitedIsNotRun) {
  CreateMailbox();
  const ChannelPtr channel = NewChannel();
  PendingCall call(channel, MakeScript("cancelled"));
  AwaitWaiting(1);
  const int64_t cancelled = MonotonicNanos();
  call.Cancel();
  EXPECT_THAT(call.Finish(), HasCode(StatusCode::CANCELLED));
  EXPECT_LE(absl::Nanoseconds(MonotonicNanos() - cancelled), kPromptly);
  const auto server = NewServer();
  EXPECT_THAT(CallUnary(channel), IsOk());
  EXPECT_EQ(Runs(server.get(), "cancelled"), 0);
}

TEST_F(MailboxCallsTest, ACallWhoseChannelIsGoneStillRuns) {
  CreateMailbox();
  ChannelPtr channel = NewChannel();
  PendingCall call(channel, MakeScript("orphan"));
  channel.reset();
  const auto server = NewServer();
  EXPECT_THAT(call.Finish(), IsOk());
}

// The server has said nothing of the call that it runs: the answer would.
TEST_F(MailboxCallsTest, ACallIsCancelledWhileItRuns) {
  CreateMailbox();
  const auto server = NewServer();
  const ChannelPtr channel = NewChannel();
  for (int i = 0; i < 20; ++i) EXPECT_THAT(CallUnary(channel), IsOk());
  PendingCall call(channel, MakeScript("running", {WaitForCancellation()}));
  ASSERT_NE(server->AwaitEvent("running", "started"), 0);
  call.Cancel();
  EXPECT_THAT(call.Finish(), HasCode(StatusCode::CANCELLED));
  EXPECT_NE(server->AwaitEvent("running", "cancelled"), 0);
  EXPECT_THAT(CallUnary(channel), IsOk());
}

// ---- Capacity

TEST_F(MailboxCallsTest, AFullMailboxFailsTheCallsThatWantThat) {
  CreateMailbox(MailboxCapacity::Bounded(2));
  const ChannelPtr channel = NewChannel(/*fails_when_full=*/true);
  PendingCall first(channel);
  PendingCall second(channel);
  EXPECT_THAT(CallUnary(channel), HasCode(StatusCode::RESOURCE_EXHAUSTED));
  const auto server = NewServer();
  EXPECT_THAT(first.Finish(), IsOk());
  EXPECT_THAT(second.Finish(), IsOk());
  EXPECT_THAT(CallUnary(channel), IsOk());
}

TEST_F(MailboxCallsTest, AFullMailboxLetsCallsWait) {
  CreateMailbox(MailboxCapacity::Bounded(2));
  const ChannelPtr channel = NewChannel();
  std::vector<std::unique_ptr<PendingCall>> calls;
  for (int i = 0; i < 10; ++i)
    calls.push_back(std::make_unique<PendingCall>(channel, MakeScript("all")));
  AwaitWaiting(2);
  PendingCall expiring(channel, MakeScript("late"), false,
                       absl::Milliseconds(20));
  EXPECT_THAT(expiring.Finish(), HasCode(StatusCode::DEADLINE_EXCEEDED));
  PendingCall cancelled(channel, MakeScript("late"));
  cancelled.Cancel();
  EXPECT_THAT(cancelled.Finish(), HasCode(StatusCode::CANCELLED));
  const auto server = NewServer();
  for (auto& call : calls) EXPECT_THAT(call->Finish(), IsOk());
  EXPECT_THAT(CallUnary(channel), IsOk());
  EXPECT_EQ(Runs(server.get(), "all"), 10);
  EXPECT_EQ(Runs(server.get(), "late"), 0);
}

TEST_F(MailboxCallsTest, CallsMeetServersWithoutAnyCapacity) {
  CreateMailbox(MailboxCapacity::Rendezvous());
  const ChannelPtr channel = NewChannel();
  PendingCall early(channel);
  PendingCall cancelled(channel, MakeScript("cancelled"));
  cancelled.Cancel();
  EXPECT_THAT(cancelled.Finish(), HasCode(StatusCode::CANCELLED));
  EXPECT_THAT(CallUnary(NewChannel(/*fails_when_full=*/true)),
              HasCode(StatusCode::RESOURCE_EXHAUSTED));
  const auto server = NewServer();
  EXPECT_THAT(early.Finish(), IsOk());
  for (int i = 0; i < 10; ++i) EXPECT_THAT(CallUnary(channel), IsOk());
  EXPECT_EQ(Runs(server.get(), "cancelled"), 0);
}

TEST_F(MailboxCallsTest, AnUnboundedMailboxTakesThemAll) {
  CreateMailbox(MailboxCapacity::Unbounded());
  const ChannelPtr channel = NewChannel(/*fails_when_full=*/true);
  std::vector<std::unique_ptr<PendingCall>> calls;
  for (int i = 0; i < 500; ++i)
    calls.push_back(std::make_unique<PendingCall>(channel));
  AwaitWaiting(500);
  const auto server = NewServer();
  for (auto& call : calls) EXPECT_THAT(call->Finish(), IsOk());
}

// Metadata travels with the offer, whatever else may follow.
TEST_F(MailboxCallsTest, MetadataThatFitsNoMessageFailsItsCall) {
  CreateMailbox();
  const auto server = NewServer();
  const ChannelPtr channel = NewChannel();
  auto context = NewContext();
  context->AddMetadata("large", std::string(100000, 'x'));
  EXPECT_THAT(CallUnary(channel, context.get()),
              HasCode(StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_THAT(CallUnary(channel), IsOk());
}

// ---- The mailbox

TEST_F(MailboxCallsTest, WithoutAMailboxCallsFail) {
  const ChannelPtr channel = NewChannel();
  EXPECT_THAT(CallUnary(channel), HasCode(StatusCode::UNAVAILABLE));
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_TRANSIENT_FAILURE);
  CreateMailbox();
  const auto server = NewServer();
  EXPECT_THAT(CallUnary(channel), IsOk());
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_READY);
}

TEST_F(MailboxCallsTest, ACallWaitsForTheMailbox) {
  const ChannelPtr channel = NewChannel();
  PendingCall call(channel, {}, /*wait_for_ready=*/true);
  EXPECT_THAT(CallUnary(channel), HasCode(StatusCode::UNAVAILABLE));
  CreateMailbox();
  EXPECT_TRUE(
      channel->WaitForConnected(absl::ToChronoTime(absl::Now() + kPatience)));
  const auto server = NewServer();
  EXPECT_THAT(call.Finish(), IsOk());
}

TEST_F(MailboxCallsTest, ANameThatIsNoneFailsAtOnce) {
  const ChannelPtr channel = MakeChannel("mailbox:.hidden");
  auto context = NewContext();
  context->set_wait_for_ready(true);
  EXPECT_THAT(CallUnary(channel, context.get()),
              HasCode(StatusCode::INVALID_ARGUMENT));
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_SHUTDOWN);
}

TEST_F(MailboxCallsTest, ArgumentsThatAreNoneFailCallsAtOnce) {
  CreateMailbox();
  const auto server = NewServer();
  for (const std::string& address :
       {address_, NewAddress(Transport::kShm), std::string("mailbox:.x")}) {
    grpc::ChannelArguments arguments;
    arguments.SetString(kServerUidsArg, "root");
    const ChannelPtr channel = MakeChannel(address, arguments);
    auto context = NewContext();
    context->set_wait_for_ready(true);
    EXPECT_THAT(CallUnary(channel, context.get()),
                HasCode(StatusCode::INVALID_ARGUMENT));
    EXPECT_EQ(channel->GetState(true), GRPC_CHANNEL_SHUTDOWN);
  }
}

TEST_F(MailboxCallsTest, WhatServersSendIsLimitedAsOnADirectLink) {
  CreateMailbox();
  const auto server = NewServer();
  grpc::ChannelArguments arguments;
  arguments.SetInt(kMaxMetadataBytesArg, 4000);
  const ChannelPtr channel = MakeChannel(address_, arguments);
  Script script = MakeScript("large");
  auto* const field = script.add_trailing_metadata();
  field->set_key("key");
  field->set_value(std::string(5000, 'v'));
  EXPECT_THAT(CallUnary(channel, script),
              HasCode(StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_THAT(CallUnary(channel), IsOk());
}

TEST_F(MailboxCallsTest, CallsGoWithTheirMailbox) {
  CreateMailbox();
  const ChannelPtr channel = NewChannel();
  PendingCall call(channel);
  AwaitWaiting(1);
  mailbox_.reset();
  ASSERT_TRUE(Mailbox::Destroy(address_).ok());
  EXPECT_THAT(call.Finish(), HasCode(StatusCode::UNAVAILABLE));
  // The next mailbox of the name is another one.
  CreateMailbox();
  const auto server = NewServer();
  auto context = NewContext();
  context->set_wait_for_ready(true);
  EXPECT_THAT(CallUnary(channel, context.get()), IsOk());
}

TEST_F(MailboxCallsTest, WhatServersTookOutlivesTheMailbox) {
  CreateMailbox();
  const auto server = NewServer();
  const ChannelPtr channel = NewChannel();
  PendingCall held(channel, MakeScript("held", {WaitForGate("gate")}));
  ASSERT_NE(server->AwaitEvent("held", "started"), 0);
  ASSERT_TRUE(Mailbox::Destroy(address_).ok());
  EXPECT_THAT(CallUnary(channel), HasCode(StatusCode::UNAVAILABLE));
  server->OpenGate("gate");
  EXPECT_THAT(held.Finish(), IsOk());
}

// Somebody sends what is no call.
TEST_F(MailboxCallsTest, RawMessagesAreDropped) {
  CreateMailbox();
  const auto server = NewServer();
  ASSERT_TRUE(mailbox_->Send("nonsense").ok());
  ASSERT_TRUE(mailbox_->Send(std::string(1000, '\xff')).ok());
  ASSERT_TRUE(mailbox_->Send("").ok());
  EXPECT_THAT(CallUnary(NewChannel()), IsOk());
  AwaitWaiting(0);
}

// ---- Death

TEST_F(MailboxCallsTest, ACallThatAKilledServerRanIsNotRunAgain) {
  CreateMailbox();
  auto killed = NewServer();
  const ChannelPtr channel = NewChannel();
  PendingCall held(channel, MakeScript("held", {WaitForCancellation()}));
  ASSERT_NE(killed->AwaitEvent("held", "started"), 0);
  PendingCall waiting(channel, MakeScript("waiting"));
  AwaitWaiting(1);
  const int64_t when = killed->process()->Kill();
  EXPECT_THAT(held.Finish(), HasCode(StatusCode::UNAVAILABLE));
  EXPECT_LE(absl::Nanoseconds(MonotonicNanos() - when), kPromptly);
  const auto next = NewServer();
  EXPECT_THAT(waiting.Finish(), IsOk());
  EXPECT_EQ(Runs(next.get(), "held"), 0);
}

// A server is stopped before it takes the call, so that it dies with it, or
// without, but has not accepted it.
TEST_F(MailboxCallsTest, ACallThatAKilledServerDidNotAcceptRunsElsewhere) {
  CreateMailbox();
  auto killed = NewServer();
  const ChannelPtr channel = NewChannel();
  ASSERT_THAT(CallUnary(channel), IsOk());
  killed->process()->Stop();
  PendingCall call(channel, MakeScript("call"));
  killed->process()->Kill();
  const auto next = NewServer();
  EXPECT_THAT(call.Finish(), IsOk());
  EXPECT_EQ(Runs(next.get(), "call"), 1);
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
