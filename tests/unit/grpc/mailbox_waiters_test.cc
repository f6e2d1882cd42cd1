// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/mailbox_waiters.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/mailbox.h"

namespace grpc_shm {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr size_t kMaxWaiting = 4;
constexpr size_t kMaxThreads = 2;

using Side = MailboxWaiters::Side;

// Receives one message.
class Receiver : public MailboxWaiters::Waiter {
 public:
  // Until it blocks, or is about to.
  bool AwaitWaiting() {
    return waiting_.WaitForNotificationWithTimeout(kPatience);
  }
  bool IsDone() const { return done_.HasBeenNotified(); }
  // INTERNAL after kPatience.
  absl::Status AwaitDone() {
    if (!done_.WaitForNotificationWithTimeout(kPatience))
      return absl::InternalError("it has no end");
    return status_;
  }
  const std::string& text() const { return text_; }

 protected:
  absl::Status Wait(Mailbox& mailbox) override {
    waiting_.Notify();
    absl::StatusOr<Mailbox::Message> message = mailbox.Receive();
    if (!message.ok()) return message.status();
    text_ = std::string(message->view());
    message->Acknowledge();
    return absl::OkStatus();
  }
  void Done(const absl::Status& status) override {
    status_ = status;
    done_.Notify();  // aborts the second time
  }

 private:
  absl::Notification waiting_;
  absl::Notification done_;
  absl::Status status_;
  std::string text_;
};

class MailboxWaitersTest : public ::testing::Test {
 protected:
  ~MailboxWaitersTest() override {
    for (const auto& [name, mailbox] : mailboxes_)
      Mailbox::Destroy("mailbox:" + name).IgnoreError();
  }

  Mailbox& Make(const std::string& name) {
    auto made = Mailbox::Create("mailbox:" + name);
    EXPECT_TRUE(made.ok()) << made.status();
    mailboxes_.emplace_back(name, *std::move(made));
    return *mailboxes_.back().second;
  }

  std::shared_ptr<Receiver> Start(const std::string& name) {
    auto receiver = std::make_shared<Receiver>();
    waiters_.Start(Side::kReceive, name, receiver);
    return receiver;
  }

  const testing::TemporaryMailboxes directory_;
  std::vector<std::pair<std::string, std::unique_ptr<Mailbox>>> mailboxes_;
  OpenMailboxes open_{4};
  MailboxWaiters waiters_{&open_, kMaxWaiting, kMaxThreads};
};

TEST_F(MailboxWaitersTest, WhoWaitsGetsWhatComes) {
  Mailbox& mailbox = Make("a");
  for (const char* text : {"1", "2"}) {
    const auto receiver = Start("a");
    ASSERT_TRUE(receiver->AwaitWaiting());
    ASSERT_TRUE(mailbox.Send(text).ok());
    EXPECT_TRUE(receiver->AwaitDone().ok());
    EXPECT_EQ(receiver->text(), text);
  }
}

TEST_F(MailboxWaitersTest, AllOfOneLineAreServedInTurnByOneThread) {
  Mailbox& mailbox = Make("a");
  std::vector<std::shared_ptr<Receiver>> line;
  for (size_t i = 0; i < kMaxWaiting; ++i) line.push_back(Start("a"));
  for (size_t i = 0; i < line.size(); ++i) {
    ASSERT_TRUE(line[i]->AwaitWaiting());
    ASSERT_TRUE(mailbox.Send(absl::StrCat(i)).ok());
    EXPECT_TRUE(line[i]->AwaitDone().ok());
    EXPECT_EQ(line[i]->text(), absl::StrCat(i));
  }
}

TEST_F(MailboxWaitersTest, OnlySoManyWait) {
  Mailbox& mailbox = Make("a");
  std::vector<std::shared_ptr<Receiver>> line;
  for (size_t i = 0; i < kMaxWaiting; ++i) line.push_back(Start("a"));
  EXPECT_EQ(Start("a")->AwaitDone().code(),
            absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(mailbox.Send("1").ok());
  EXPECT_TRUE(line[0]->AwaitDone().ok());
  const auto next = Start("a");
  waiters_.Cancel(next);
  EXPECT_EQ(next->AwaitDone().code(), absl::StatusCode::kCancelled);
}

TEST_F(MailboxWaitersTest, OnlySoManyMailboxesAreWaitedAt) {
  Make("a");
  Make("b");
  Mailbox& third = Make("c");
  const auto a = Start("a");
  const auto b = Start("b");
  EXPECT_EQ(Start("c")->AwaitDone().code(),
            absl::StatusCode::kResourceExhausted);
  waiters_.Cancel(a);
  EXPECT_EQ(a->AwaitDone().code(), absl::StatusCode::kCancelled);
  // Its thread is free a moment later.
  std::shared_ptr<Receiver> c = Start("c");
  while (c->IsDone()) c = Start("c");
  ASSERT_TRUE(third.Send("c").ok());
  EXPECT_TRUE(c->AwaitDone().ok());
}

TEST_F(MailboxWaitersTest, WhoIsCancelledLeavesTheOthers) {
  Mailbox& mailbox = Make("a");
  const auto first = Start("a");
  const auto second = Start("a");
  const auto third = Start("a");
  ASSERT_TRUE(first->AwaitWaiting());
  waiters_.Cancel(second);  // stands in the line
  EXPECT_EQ(second->AwaitDone().code(), absl::StatusCode::kCancelled);
  waiters_.Cancel(first);  // a thread blocks for it
  EXPECT_EQ(first->AwaitDone().code(), absl::StatusCode::kCancelled);
  waiters_.Cancel(first);
  ASSERT_TRUE(third->AwaitWaiting());
  ASSERT_TRUE(mailbox.Send("3").ok());
  EXPECT_TRUE(third->AwaitDone().ok());
  EXPECT_EQ(third->text(), "3");
}

TEST_F(MailboxWaitersTest, WhoIsCancelledFirstNeverBegins) {
  Make("a");
  const auto receiver = std::make_shared<Receiver>();
  waiters_.Cancel(receiver);
  waiters_.Start(Side::kReceive, "a", receiver);
  EXPECT_EQ(receiver->AwaitDone().code(), absl::StatusCode::kCancelled);
}

TEST_F(MailboxWaitersTest, WithoutAMailboxNobodyWaits) {
  EXPECT_EQ(Start("none")->AwaitDone().code(), absl::StatusCode::kNotFound);
  Make("a");
  const auto receiver = Start("a");
  ASSERT_TRUE(receiver->AwaitWaiting());
  ASSERT_TRUE(Mailbox::Destroy("mailbox:a").ok());
  EXPECT_EQ(receiver->AwaitDone().code(), absl::StatusCode::kNotFound);
}

TEST_F(MailboxWaitersTest, ShutdownEndsAll) {
  Make("a");
  const auto first = Start("a");
  const auto second = Start("a");
  ASSERT_TRUE(first->AwaitWaiting());
  waiters_.Shutdown();
  for (const auto& receiver : {first, second, Start("a")})
    EXPECT_EQ(receiver->AwaitDone(), MailboxWaiters::ShuttingDown());
}

}  // namespace
}  // namespace grpc_shm
