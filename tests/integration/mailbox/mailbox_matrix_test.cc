// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Every way of sending meets every way of receiving, over every kind of
// capacity, between threads and between processes.

#include <sched.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/mailbox.h"

namespace grpc_shm {
namespace {

using testing::ChildProcess;
using testing::Conversation;
using testing::RunInChild;
using testing::TemporaryMailboxes;

constexpr char kAddress[] = "mailbox:matrix";
constexpr int kMessages = 200;

enum class Wait { kBlocking, kTimed, kNonBlocking };
enum class Capacity { kZero, kOne, kFour, kUnbounded };
enum class Driver { kThreads, kProcesses };

MailboxCapacity CapacityOf(Capacity capacity) {
  switch (capacity) {
    case Capacity::kZero:
      return MailboxCapacity::Rendezvous();
    case Capacity::kOne:
      return MailboxCapacity::Bounded(1);
    case Capacity::kFour:
      return MailboxCapacity::Bounded(4);
    case Capacity::kUnbounded:
      break;
  }
  return MailboxCapacity::Unbounded();
}

// A message of a length of its own that says which one it is in every byte.
std::string Text(int sender, int number) {
  const std::string id = absl::StrCat(sender, ":", number, ";");
  std::string text;
  for (int i = 0; i <= number % 5; ++i) text += id;
  return text;
}

absl::Status SendOne(Mailbox& mailbox, const std::string& text, Wait wait) {
  switch (wait) {
    case Wait::kBlocking:
      return mailbox.Send(text);
    case Wait::kTimed:
      while (true) {
        const absl::Status status =
            mailbox.Send(text, absl::Now() + absl::Milliseconds(1));
        if (!absl::IsDeadlineExceeded(status)) return status;
      }
    case Wait::kNonBlocking:
      break;
  }
  while (true) {
    const absl::Status status = mailbox.TrySend(text);
    if (!absl::IsUnavailable(status)) return status;
    sched_yield();
  }
}

absl::StatusOr<Mailbox::Message> ReceiveOne(Mailbox& mailbox, Wait wait) {
  switch (wait) {
    case Wait::kBlocking:
      return mailbox.Receive();
    case Wait::kTimed:
      while (true) {
        absl::StatusOr<Mailbox::Message> message =
            mailbox.Receive(absl::Now() + absl::Milliseconds(1));
        if (!absl::IsDeadlineExceeded(message.status())) return message;
      }
    case Wait::kNonBlocking:
      break;
  }
  while (true) {
    absl::StatusOr<Mailbox::Message> message = mailbox.TryReceive();
    if (!absl::IsUnavailable(message.status())) return message;
    sched_yield();
  }
}

std::unique_ptr<Mailbox> Opened() {
  absl::StatusOr<std::unique_ptr<Mailbox>> mailbox = Mailbox::Open(kAddress);
  EXPECT_TRUE(mailbox.ok()) << mailbox.status();
  return mailbox.ok() ? *std::move(mailbox) : nullptr;
}

void Create(MailboxCapacity capacity) {
  const absl::Status status = RunInChild([capacity] {
    MailboxOptions options;
    options.capacity = capacity;
    options.max_message_bytes = 1024;
    return Mailbox::Create(kAddress, options).status();
  });
  ASSERT_TRUE(status.ok()) << status;
}

// The test's own process must remain one that may fork: it has one thread, and
// uses no mailbox.
void RunTogether(Driver driver,
                 const std::vector<std::function<void()>>& parts) {
  if (driver == Driver::kProcesses) {
    std::vector<std::unique_ptr<ChildProcess>> children;
    for (const auto& part : parts) {
      children.push_back(
          std::make_unique<ChildProcess>([part](Conversation&) { part(); }));
    }
    for (auto& child : children) EXPECT_EQ(child->Wait(), 0);
    return;
  }
  ChildProcess child([&parts](Conversation&) {
    std::vector<std::thread> threads;
    for (const auto& part : parts) threads.emplace_back(part);
    for (std::thread& thread : threads) thread.join();
  });
  EXPECT_EQ(child.Wait(), 0);
}

class MailboxMatrix : public ::testing::TestWithParam<
                          std::tuple<Capacity, Wait, Wait, Driver>> {
 protected:
  TemporaryMailboxes mailboxes_;
};

TEST_P(MailboxMatrix, EveryMessageArrivesOnceAndInOrder) {
  const auto [capacity, send, receive, driver] = GetParam();
  if (capacity == Capacity::kZero && send == Wait::kNonBlocking &&
      receive == Wait::kNonBlocking) {
    GTEST_SKIP() << "in a rendezvous somebody has to wait: see below";
  }
  Create(CapacityOf(capacity));
  RunTogether(driver, {[send] {
                         auto mailbox = Opened();
                         ASSERT_NE(mailbox, nullptr);
                         for (int i = 0; i < kMessages; ++i) {
                           const absl::Status status =
                               SendOne(*mailbox, Text(0, i), send);
                           ASSERT_TRUE(status.ok()) << i << ": " << status;
                         }
                       },
                       [receive] {
                         auto mailbox = Opened();
                         ASSERT_NE(mailbox, nullptr);
                         for (int i = 0; i < kMessages; ++i) {
                           absl::StatusOr<Mailbox::Message> message =
                               ReceiveOne(*mailbox, receive);
                           ASSERT_TRUE(message.ok())
                               << i << ": " << message.status();
                           ASSERT_EQ(message->view(), Text(0, i));
                           ASSERT_FALSE(message->redelivered());
                           message->Acknowledge();
                         }
                         EXPECT_EQ(mailbox->TryReceive().status().code(),
                                   absl::StatusCode::kUnavailable);
                       }});
}

constexpr const char* kWaits[] = {"Blocking", "Timed", "NonBlocking"};

constexpr const char* kCapacities[] = {"Zero", "One", "Four", "Unbounded"};

std::string NameOf(
    const ::testing::TestParamInfo<MailboxMatrix::ParamType>& info) {
  const auto [capacity, send, receive, driver] = info.param;
  return absl::StrCat(
      kCapacities[static_cast<int>(capacity)], kWaits[static_cast<int>(send)],
      "SendMeets", kWaits[static_cast<int>(receive)], "Receive",
      driver == Driver::kThreads ? "BetweenThreads" : "BetweenProcesses");
}

INSTANTIATE_TEST_SUITE_P(
    All, MailboxMatrix,
    ::testing::Combine(
        ::testing::Values(Capacity::kZero, Capacity::kOne, Capacity::kFour,
                          Capacity::kUnbounded),
        ::testing::Values(Wait::kBlocking, Wait::kTimed, Wait::kNonBlocking),
        ::testing::Values(Wait::kBlocking, Wait::kTimed, Wait::kNonBlocking),
        ::testing::Values(Driver::kThreads, Driver::kProcesses)),
    NameOf);

class MailboxCrowd
    : public ::testing::TestWithParam<std::tuple<Capacity, Driver>> {
 protected:
  TemporaryMailboxes mailboxes_;
};

// Three send, three receive; each receiver sees each sender's messages in
// order, and all together see each message once.
TEST_P(MailboxCrowd, SharesTheMessagesOutEachOnce) {
  constexpr int kSenders = 3;
  constexpr int kReceivers = 3;
  const auto [capacity, driver] = GetParam();
  Create(CapacityOf(capacity));
  // Kept beside the one under test: what each receiver has seen.
  const absl::Status status = RunInChild([] {
    MailboxOptions options;
    options.capacity = MailboxCapacity::Unbounded();
    return Mailbox::Create("mailbox:seen", options).status();
  });
  ASSERT_TRUE(status.ok()) << status;
  std::vector<std::function<void()>> parts;
  for (int sender = 0; sender < kSenders; ++sender) {
    parts.push_back([sender] {
      auto mailbox = Opened();
      ASSERT_NE(mailbox, nullptr);
      for (int i = 0; i < kMessages; ++i) {
        const absl::Status status = mailbox->Send(Text(sender, i));
        ASSERT_TRUE(status.ok()) << status;
      }
    });
  }
  for (int receiver = 0; receiver < kReceivers; ++receiver) {
    parts.push_back([] {
      auto mailbox = Opened();
      ASSERT_NE(mailbox, nullptr);
      absl::StatusOr<std::unique_ptr<Mailbox>> seen =
          Mailbox::Open("mailbox:seen");
      ASSERT_TRUE(seen.ok()) << seen.status();
      std::vector<int> next(kSenders, 0);
      for (int i = 0; i < kSenders * kMessages / kReceivers; ++i) {
        absl::StatusOr<Mailbox::Message> message = mailbox->Receive();
        ASSERT_TRUE(message.ok()) << message.status();
        const std::string text(message->view());
        const int from = text[0] - '0';
        const int number = std::stoi(text.substr(2));
        ASSERT_EQ(text, Text(from, number));
        ASSERT_GE(number, next[from]);
        next[from] = number + 1;
        message->Acknowledge();
        ASSERT_TRUE((*seen)->Send(text).ok());
      }
    });
  }
  RunTogether(driver, parts);
  ChildProcess judge([](Conversation&) {
    absl::StatusOr<std::unique_ptr<Mailbox>> seen =
        Mailbox::Open("mailbox:seen");
    ASSERT_TRUE(seen.ok()) << seen.status();
    std::set<std::string> all;
    while (true) {
      absl::StatusOr<Mailbox::Message> message = (*seen)->TryReceive();
      if (absl::IsUnavailable(message.status())) break;
      ASSERT_TRUE(message.ok()) << message.status();
      EXPECT_TRUE(all.emplace(message->view()).second)
          << message->view() << " came twice";
      message->Acknowledge();
    }
    EXPECT_EQ(all.size(), size_t{kSenders * kMessages});
  });
  EXPECT_EQ(judge.Wait(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    All, MailboxCrowd,
    ::testing::Combine(::testing::Values(Capacity::kZero, Capacity::kOne,
                                         Capacity::kFour, Capacity::kUnbounded),
                       ::testing::Values(Driver::kThreads,
                                         Driver::kProcesses)));

class MailboxRendezvous : public ::testing::Test {
 protected:
  TemporaryMailboxes mailboxes_;
};

TEST_F(MailboxRendezvous, NeverHappensWhereNobodyWaits) {
  Create(MailboxCapacity::Rendezvous());
  const auto sender = [] {
    auto mailbox = Opened();
    ASSERT_NE(mailbox, nullptr);
    for (int i = 0; i < kMessages; ++i) {
      ASSERT_EQ(mailbox->TrySend("text").code(),
                absl::StatusCode::kUnavailable);
    }
  };
  const auto receiver = [] {
    auto mailbox = Opened();
    ASSERT_NE(mailbox, nullptr);
    for (int i = 0; i < kMessages; ++i) {
      ASSERT_EQ(mailbox->TryReceive().status().code(),
                absl::StatusCode::kUnavailable);
    }
  };
  RunTogether(Driver::kProcesses, {sender, receiver});
}

}  // namespace
}  // namespace grpc_shm
