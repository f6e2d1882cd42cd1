// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What one process can see of a mailbox.

#include "transport/mailbox.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/mailbox/await_asleep.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"

namespace grpc_shm {
namespace {

using testing::AwaitAsleep;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TemporaryMailboxes;

constexpr absl::StatusCode kOk = absl::StatusCode::kOk;
constexpr absl::StatusCode kCancelled = absl::StatusCode::kCancelled;
constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
constexpr absl::StatusCode kDeadline = absl::StatusCode::kDeadlineExceeded;
constexpr absl::StatusCode kNotFound = absl::StatusCode::kNotFound;
constexpr absl::StatusCode kExists = absl::StatusCode::kAlreadyExists;
constexpr absl::StatusCode kExhausted = absl::StatusCode::kResourceExhausted;
constexpr absl::StatusCode kUnavailable = absl::StatusCode::kUnavailable;

constexpr char kAddress[] = "mailbox:test";

MailboxOptions Options(MailboxCapacity capacity,
                       size_t max_message_bytes = 64) {
  MailboxOptions options;
  options.capacity = capacity;
  options.max_message_bytes = max_message_bytes;
  return options;
}

absl::Time Soon() { return absl::Now() + absl::Milliseconds(5); }

class MailboxTest : public ::testing::Test {
 protected:
  static std::unique_ptr<Mailbox> Create(const MailboxOptions& options,
                                         const char* address = kAddress) {
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
        Mailbox::Create(address, options);
    EXPECT_TRUE(mailbox.ok()) << mailbox.status();
    return mailbox.ok() ? *std::move(mailbox) : nullptr;
  }
  static std::unique_ptr<Mailbox> Open(const char* address = kAddress) {
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox = Mailbox::Open(address);
    EXPECT_TRUE(mailbox.ok()) << mailbox.status();
    return mailbox.ok() ? *std::move(mailbox) : nullptr;
  }

  // Receives without waiting, acknowledges; "" and a failure if there is none.
  static std::string Next(Mailbox& mailbox) {
    absl::StatusOr<Mailbox::Message> message = mailbox.TryReceive();
    EXPECT_TRUE(message.ok()) << message.status();
    if (!message.ok()) return "";
    std::string text(message->view());
    message->Acknowledge();
    return text;
  }

  TemporaryMailboxes mailboxes_;
};

// Runs `work` on a thread of its own, from which it doesn't come back before
// something happens.
class Blocked {
 public:
  explicit Blocked(std::function<absl::Status()> work)
      : thread_([this, work = std::move(work)] {
          thread_id_ = static_cast<pid_t>(syscall(SYS_gettid));
          started_.Notify();
          status_ = work();
          done_.Notify();
        }) {
    started_.WaitForNotification();
    AwaitAsleep(thread_id_);
  }
  ~Blocked() { thread_.join(); }

  absl::StatusCode Result() {
    done_.WaitForNotification();
    return status_.code();
  }

 private:
  absl::Notification started_;
  absl::Notification done_;
  absl::Status status_;
  pid_t thread_id_ = 0;
  std::thread thread_;
};

// ---- Names ----

TEST_F(MailboxTest, AddressesAreChecked) {
  for (const char* address :
       {"test", "mailbox:", "mailbox:.x", "mailbox:a/b", "shm:test", ""}) {
    EXPECT_EQ(Mailbox::Create(address).status().code(), kInvalid) << address;
    EXPECT_EQ(Mailbox::Open(address).status().code(), kInvalid) << address;
    EXPECT_EQ(Mailbox::Destroy(address).code(), kInvalid) << address;
  }
  EXPECT_TRUE(mailboxes_.Files().empty());
}

TEST_F(MailboxTest, OptionsAreChecked) {
  MailboxOptions options = Options(MailboxCapacity::Bounded(0));
  EXPECT_EQ(Mailbox::Create(kAddress, options).status().code(), kInvalid);
  options = Options(MailboxCapacity::Bounded(1), 0);
  EXPECT_EQ(Mailbox::Create(kAddress, options).status().code(), kInvalid);
  options = Options(MailboxCapacity::Bounded(1));
  options.mode = 0666;
  EXPECT_EQ(Mailbox::Create(kAddress, options).status().code(), kInvalid);
  EXPECT_TRUE(mailboxes_.Files().empty());
}

TEST_F(MailboxTest, ANameIsTakenUntilItsMailboxIsDestroyed) {
  auto mailbox = Create(Options(MailboxCapacity::Bounded(1)));
  EXPECT_EQ(Mailbox::Create(kAddress).status().code(), kExists);
  mailbox.reset();
  EXPECT_EQ(Mailbox::Create(kAddress).status().code(), kExists);
  EXPECT_EQ(Mailbox::Destroy(kAddress).code(), kOk);
  EXPECT_TRUE(mailboxes_.Files().empty());
  EXPECT_NE(Create(Options(MailboxCapacity::Bounded(1))), nullptr);
}

TEST_F(MailboxTest, WhatIsNotThereIsNotFound) {
  const absl::Status status = Mailbox::Open(kAddress).status();
  EXPECT_EQ(status.code(), kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("mailbox:test"));
  EXPECT_EQ(Mailbox::Destroy(kAddress).code(), kNotFound);
  EXPECT_TRUE(mailboxes_.Files().empty());
}

TEST_F(MailboxTest, NobodyElseCanReadWhatIsMade) {
  umask(0);
  auto mailbox = Create(Options(MailboxCapacity::Bounded(1)));
  struct stat info;
  ASSERT_EQ(stat(mailboxes_.Path("test").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(mailboxes_.directory().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(MailboxTest, AGroupsMailboxIsAnotherOneThanTheOwnersOfThatName) {
  auto own = Create(Options(MailboxCapacity::Bounded(1)));
  MailboxOptions options = Options(MailboxCapacity::Bounded(2));
  options.mode = 0660;
  auto shared = Create(options);
  OpenMailboxOptions open;
  open.group = getegid();
  absl::StatusOr<std::unique_ptr<Mailbox>> opened =
      Mailbox::Open(kAddress, open);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ((*opened)->Describe().mode, 0660u);
  EXPECT_EQ((*opened)->Describe().group, getegid());
  EXPECT_EQ(shared->TrySend("for the group").code(), kOk);
  EXPECT_EQ(own->TryReceive().status().code(), kUnavailable);
  EXPECT_EQ(Next(**opened), "for the group");
  EXPECT_EQ(Mailbox::Destroy(kAddress, open).code(), kOk);
  EXPECT_EQ(own->TrySend("still there").code(), kOk);
}

TEST_F(MailboxTest, ListTellsAllInTheOrderOfTheirNames) {
  absl::StatusOr<std::vector<MailboxInfo>> list = Mailbox::List();
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_TRUE(list->empty());
  auto b = Create(Options(MailboxCapacity::Bounded(3)), "mailbox:b");
  auto c = Create(Options(MailboxCapacity::Rendezvous()), "mailbox:c");
  MailboxOptions options = Options(MailboxCapacity::Unbounded());
  options.mode = 0660;
  auto a = Create(options, "mailbox:a");
  ASSERT_EQ(b->TrySend("one").code(), kOk);
  list = Mailbox::List();
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->size(), 3u);
  EXPECT_EQ((*list)[0].name, "a");
  EXPECT_EQ((*list)[0].capacity.kind, MailboxCapacity::Kind::kUnbounded);
  EXPECT_EQ((*list)[0].mode, 0660u);
  EXPECT_EQ((*list)[1].name, "b");
  EXPECT_EQ((*list)[1].capacity.messages, 3u);
  EXPECT_EQ((*list)[1].waiting, 1u);
  EXPECT_EQ((*list)[1].owner, geteuid());
  EXPECT_EQ((*list)[1].participants, 1u);
  EXPECT_EQ((*list)[2].name, "c");
  EXPECT_EQ((*list)[2].capacity.kind, MailboxCapacity::Kind::kRendezvous);
}

// ---- Capacity ----

TEST_F(MailboxTest, AFullOneTakesNoMore) {
  auto mailbox = Create(Options(MailboxCapacity::Bounded(2)));
  EXPECT_EQ(mailbox->TrySend("1").code(), kOk);
  EXPECT_EQ(mailbox->Send("2").code(), kOk);
  EXPECT_EQ(mailbox->TrySend("3").code(), kUnavailable);
  EXPECT_EQ(mailbox->Send("3", absl::InfinitePast()).code(), kDeadline);
  EXPECT_EQ(mailbox->Send("3", Soon()).code(), kDeadline);
  EXPECT_EQ(mailbox->TryLoanFor(1).status().code(), kUnavailable);
  EXPECT_EQ(mailbox->LoanFor(1, Soon()).status().code(), kDeadline);
  // Taken is not yet done with.
  absl::StatusOr<Mailbox::Message> first = mailbox->TryReceive();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(mailbox->TrySend("3").code(), kUnavailable);
  first->Acknowledge();
  EXPECT_EQ(mailbox->TrySend("3").code(), kOk);
  EXPECT_EQ(Next(*mailbox), "2");
  EXPECT_EQ(Next(*mailbox), "3");
}

// The first of the classic faults, and the second: at no time is there a
// message more than the capacity, or one received that was not sent.
TEST_F(MailboxTest, AProducerWaitsWhenItIsFullAndAConsumerWhenItIsEmpty) {
  constexpr int kCapacity = 3;
  constexpr int kMessages = 3000;
  auto mailbox = Create(Options(MailboxCapacity::Bounded(kCapacity)));
  std::atomic<int> begun{0};
  std::atomic<int> sent{0};
  std::atomic<int> acknowledging{0};
  std::thread producer([&] {
    for (int i = 0; i < kMessages; ++i) {
      ++begun;
      EXPECT_EQ(mailbox->Send(std::to_string(i)).code(), kOk);
      ++sent;
      EXPECT_LE(sent, acknowledging + kCapacity);
    }
  });
  for (int i = 0; i < kMessages; ++i) {
    absl::StatusOr<Mailbox::Message> message = mailbox->Receive();
    ASSERT_TRUE(message.ok()) << message.status();
    ASSERT_GT(begun, i);
    EXPECT_EQ(message->view(), std::to_string(i));
    ++acknowledging;
    message->Acknowledge();
  }
  producer.join();
}

TEST_F(MailboxTest, ASenderThatWaitsGoesOnWhenThereIsRoom) {
  auto mailbox = Create(Options(MailboxCapacity::Bounded(1)));
  ASSERT_EQ(mailbox->Send("1").code(), kOk);
  Blocked sender([&] { return mailbox->Send("2"); });
  EXPECT_EQ(Next(*mailbox), "1");
  EXPECT_EQ(sender.Result(), kOk);
  EXPECT_EQ(Next(*mailbox), "2");
}

TEST_F(MailboxTest, AReceiverThatWaitsGoesOnWhenThereIsAMessage) {
  auto mailbox = Create(Options(MailboxCapacity::Bounded(1)));
  std::string text;
  Blocked receiver([&] {
    absl::StatusOr<Mailbox::Message> message = mailbox->Receive();
    if (!message.ok()) return message.status();
    text = std::string(message->view());
    message->Acknowledge();
    return absl::OkStatus();
  });
  ASSERT_EQ(mailbox->Send("at last").code(), kOk);
  EXPECT_EQ(receiver.Result(), kOk);
  EXPECT_EQ(text, "at last");
}

TEST_F(MailboxTest, AnEmptyOneHasNothing) {
  for (MailboxCapacity capacity :
       {MailboxCapacity::Rendezvous(), MailboxCapacity::Bounded(1),
        MailboxCapacity::Unbounded()}) {
    auto mailbox = Create(Options(capacity));
    EXPECT_EQ(mailbox->TryReceive().status().code(), kUnavailable);
    EXPECT_EQ(mailbox->Receive(absl::InfinitePast()).status().code(),
              kDeadline);
    EXPECT_EQ(mailbox->Receive(Soon()).status().code(), kDeadline);
    ASSERT_EQ(Mailbox::Destroy(kAddress).code(), kOk);
  }
}

// Who waits does so awake for a moment only, by the busiest policy for 10 ms,
// whether there is a deadline or not.
TEST_F(MailboxTest, WhoWaitsForLongSleeps) {
  const auto cpu_time = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return absl::DurationFromTimespec(time);
  };
  for (WaitPolicy policy :
       {WaitPolicy::kNever, WaitPolicy::kAdaptive, WaitPolicy::kBusy}) {
    MailboxOptions options = Options(MailboxCapacity::Bounded(1));
    options.wait_policy = policy;
    auto mailbox = Create(options);
    ASSERT_EQ(mailbox->Send("full").code(), kOk);
    absl::Duration begin = cpu_time();
    EXPECT_EQ(
        mailbox->Send("more", absl::Now() + absl::Milliseconds(300)).code(),
        kDeadline);
    EXPECT_LT(cpu_time() - begin, absl::Milliseconds(100));
    EXPECT_EQ(Next(*mailbox), "full");
    begin = cpu_time();
    EXPECT_EQ(
        mailbox->Receive(absl::Now() + absl::Milliseconds(300)).status().code(),
        kDeadline);
    EXPECT_LT(cpu_time() - begin, absl::Milliseconds(100));
    ASSERT_EQ(Mailbox::Destroy(kAddress).code(), kOk);
  }
}

TEST_F(MailboxTest, InARendezvousASenderWaitsUntilAReceiverHasTheMessage) {
  auto mailbox = Create(Options(MailboxCapacity::Rendezvous()));
  EXPECT_EQ(mailbox->TrySend("nobody").code(), kUnavailable);
  EXPECT_EQ(mailbox->Send("nobody", absl::InfinitePast()).code(), kDeadline);
  EXPECT_EQ(mailbox->Send("nobody", Soon()).code(), kDeadline);
  EXPECT_EQ(mailbox->TryReceive().status().code(), kUnavailable)
      << "a message whose sender has given up must be gone";
  std::atomic<bool> taking{false};
  Blocked sender([&] {
    const absl::Status status = mailbox->Send("here");
    EXPECT_TRUE(taking);
    return status;
  });
  EXPECT_EQ(mailbox->Describe().waiting, 1u);
  taking = true;
  EXPECT_EQ(Next(*mailbox), "here");
  EXPECT_EQ(sender.Result(), kOk);
  EXPECT_EQ(mailbox->Describe().sent, 1u);
  EXPECT_EQ(mailbox->Describe().received, 1u);
}

TEST_F(MailboxTest, InARendezvousTheOneWhoWaitedLongestGoesFirst) {
  auto mailbox = Create(Options(MailboxCapacity::Rendezvous()));
  Blocked first([&] { return mailbox->Send("1"); });
  Blocked second([&] { return mailbox->Send("2"); });
  EXPECT_EQ(Next(*mailbox), "1");
  EXPECT_EQ(Next(*mailbox), "2");
  EXPECT_EQ(first.Result(), kOk);
  EXPECT_EQ(second.Result(), kOk);
}

TEST_F(MailboxTest, InARendezvousAReceiverThatWaitsIsFoundWithoutWaiting) {
  auto mailbox = Create(Options(MailboxCapacity::Rendezvous()));
  Blocked receiver([&] {
    absl::StatusOr<Mailbox::Message> message = mailbox->Receive();
    if (message.ok()) message->Acknowledge();
    return message.status();
  });
  EXPECT_EQ(mailbox->TrySend("hello").code(), kOk);
  EXPECT_EQ(receiver.Result(), kOk);
}

TEST_F(MailboxTest, AnUnboundedOneGrowsShrinksAndStopsAtItsLimit) {
  MailboxOptions options = Options(MailboxCapacity::Unbounded(), 64 << 10);
  options.max_memory_bytes = 4 << 20;
  auto mailbox = Create(options);
  const uint64_t empty = mailbox->Describe().memory_bytes;
  const std::string text(64 << 10, 'x');
  int sent = 0;
  absl::Status status;
  while ((status = mailbox->Send(text)).ok()) ++sent;
  EXPECT_EQ(status.code(), kExhausted);
  EXPECT_EQ(sent, 64);
  EXPECT_EQ(mailbox->TrySend(text).code(), kExhausted);
  EXPECT_EQ(mailbox->Describe().memory_bytes, empty + (4 << 20));
  EXPECT_EQ(Next(*mailbox), text);
  EXPECT_EQ(mailbox->TrySend(text).code(), kOk);
  for (int i = 0; i < 64; ++i) EXPECT_EQ(Next(*mailbox), text);
  EXPECT_EQ(mailbox->TryReceive().status().code(), kUnavailable);
}

TEST_F(MailboxTest, AnUnboundedOneGivesMemoryBack) {
  MailboxOptions options = Options(MailboxCapacity::Unbounded(), 1 << 20);
  options.max_memory_bytes = 64 << 20;
  auto mailbox = Create(options);
  const uint64_t empty = mailbox->Describe().memory_bytes;
  const std::string large(1 << 20, 'x');
  for (int i = 0; i < 32; ++i) ASSERT_EQ(mailbox->Send(large).code(), kOk);
  EXPECT_EQ(mailbox->Describe().memory_bytes, empty + (32 << 20));
  for (int i = 0; i < 32; ++i) EXPECT_EQ(Next(*mailbox), large);
  EXPECT_EQ(mailbox->Describe().memory_bytes, empty);
}

TEST_F(MailboxTest, AnUnboundedOneTakesSmallAndLargeInTurn) {
  MailboxOptions options = Options(MailboxCapacity::Unbounded(), 100 << 10);
  options.max_memory_bytes = 1 << 20;
  auto mailbox = Create(options);
  for (int i = 0; i < 500; ++i) {
    const std::string text(static_cast<size_t>(i * 7919 % (100 << 10)), 'y');
    ASSERT_EQ(mailbox->Send(text).code(), kOk) << i;
    ASSERT_EQ(mailbox->Send("small").code(), kOk) << i;
    ASSERT_EQ(Next(*mailbox), text) << i;
    ASSERT_EQ(Next(*mailbox), "small") << i;
  }
}

// ---- Messages and loans ----

TEST_F(MailboxTest, MessagesMayHaveAnySizeUpToTheLargest) {
  auto mailbox = Create(Options(MailboxCapacity::Bounded(1), 1000));
  EXPECT_EQ(mailbox->max_message_bytes(), 1000u);
  for (size_t bytes : {0, 1, 63, 64, 65, 999, 1000}) {
    const std::string text(bytes, 'm');
    ASSERT_EQ(mailbox->TrySend(text).code(), kOk) << bytes;
    EXPECT_EQ(Next(*mailbox), text);
  }
  const std::string larger(1001, 'm');
  const absl::Status status = mailbox->TrySend(larger);
  EXPECT_EQ(status.code(), kExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("takes up to 1000"));
  EXPECT_EQ(mailbox->Send(larger).code(), kExhausted);
  EXPECT_EQ(mailbox->LoanFor(1001).status().code(), kExhausted);
  EXPECT_EQ(mailbox->TryLoanFor(~size_t{0}).status().code(), kExhausted);
  EXPECT_EQ(mailbox->TrySend("and goes on").code(), kOk);
}

TEST_F(MailboxTest, AMessageMayBeWrittenAndReadInPlace) {
  auto mailbox = Create(Options(MailboxCapacity::Bounded(1), 1 << 20));
  absl::StatusOr<Mailbox::Loan> loan = mailbox->LoanFor(1 << 20);
  ASSERT_TRUE(loan.ok()) << loan.status();
  EXPECT_EQ(loan->size(), size_t{1 << 20});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(loan->data()) % 64, 0u);
  std::memset(loan->data(), 'L', loan->size());
  const char* const where = loan->data();
  ASSERT_EQ(mailbox->TrySend(*std::move(loan)).code(), kOk);
  absl::StatusOr<Mailbox::Message> message = mailbox->TryReceive();
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->data(), where);
  EXPECT_EQ(message->view(), std::string(1 << 20, 'L'));
  EXPECT_EQ(message->sender(), getpid());
  message->Acknowledge();
}

TEST_F(MailboxTest, ALoanMayTurnOutSmaller) {
  auto mailbox = Create(Options(MailboxCapacity::Bounded(1)));
  absl::StatusOr<Mailbox::Loan> loan = mailbox->LoanFor(64);
  ASSERT_TRUE(loan.ok()) << loan.status();
  std::memcpy(loan->data(), "12345", 5);
  loan->Truncate(100);
  EXPECT_EQ(loan->size(), 64u);
  loan->Truncate(5);
  ASSERT_EQ(mailbox->Send(*std::move(loan)).code(), kOk);
  EXPECT_EQ(Next(*mailbox), "12345");
}

TEST_F(MailboxTest, ALoanTakesAPlaceAndGivesItBack) {
  auto mailbox = Create(Options(MailboxCapacity::Bounded(1)));
  {
    absl::StatusOr<Mailbox::Loan> loan = mailbox->TryLoanFor(1);
    ASSERT_TRUE(loan.ok()) << loan.status();
    EXPECT_EQ(mailbox->TrySend("full").code(), kUnavailable);
    Mailbox::Loan moved = *std::move(loan);
    EXPECT_FALSE(*loan);
    EXPECT_TRUE(moved);
    EXPECT_EQ(mailbox->TrySend("full").code(), kUnavailable);
  }
  EXPECT_EQ(mailbox->TrySend("room").code(), kOk);
  EXPECT_EQ(Next(*mailbox), "room");
  absl::StatusOr<Mailbox::Loan> loan = mailbox->TryLoanFor(1);
  ASSERT_TRUE(loan.ok()) << loan.status();
  loan->Reset();
  EXPECT_FALSE(*loan);
  EXPECT_EQ(mailbox->TrySend("room").code(), kOk);
}

TEST_F(MailboxTest, ALoanIsSentThroughTheObjectThatGaveIt) {
  auto mailbox = Create(Options(MailboxCapacity::Bounded(1)));
  auto other = Open();
  absl::StatusOr<Mailbox::Loan> loan = mailbox->TryLoanFor(1);
  ASSERT_TRUE(loan.ok()) << loan.status();
  EXPECT_EQ(other->Send(*std::move(loan)).code(), kInvalid);
  EXPECT_EQ(mailbox->Send(Mailbox::Loan()).code(), kInvalid);
  EXPECT_EQ(mailbox->TrySend("it went back").code(), kOk);
}

TEST_F(MailboxTest, AMessageThatIsGivenBackComesAgainAndFirst) {
  auto mailbox = Create(Options(MailboxCapacity::Bounded(4)));
  for (const char* text : {"1", "2", "3", "4"}) {
    ASSERT_EQ(mailbox->Send(text).code(), kOk);
  }
  {
    absl::StatusOr<Mailbox::Message> first = mailbox->TryReceive();
    absl::StatusOr<Mailbox::Message> second = mailbox->TryReceive();
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_FALSE(first->redelivered());
    EXPECT_EQ(mailbox->Describe().unacknowledged, 2u);
    second->GiveBack();
    EXPECT_FALSE(*second);
    // The first goes with its object.
  }
  EXPECT_EQ(mailbox->Describe().waiting, 4u);
  absl::StatusOr<Mailbox::Message> again = mailbox->TryReceive();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->view(), "1");
  EXPECT_TRUE(again->redelivered());
  EXPECT_EQ(mailbox->Describe().redelivered, 1u);
  again->Acknowledge();
  again->Acknowledge();  // idempotent
  EXPECT_EQ(Next(*mailbox), "2");
  EXPECT_EQ(Next(*mailbox), "3");
  EXPECT_EQ(Next(*mailbox), "4");
  EXPECT_EQ(mailbox->TryReceive().status().code(), kUnavailable);
  EXPECT_EQ(mailbox->Describe().sent, 4u);
  EXPECT_EQ(mailbox->Describe().received, 6u);
}

TEST_F(MailboxTest, AMessageThatIsGivenBackInARendezvousComesAgain) {
  auto mailbox = Create(Options(MailboxCapacity::Rendezvous()));
  Blocked sender([&] { return mailbox->Send("hot potato"); });
  {
    absl::StatusOr<Mailbox::Message> message = mailbox->Receive();
    ASSERT_TRUE(message.ok()) << message.status();
    EXPECT_FALSE(message->redelivered());
  }
  EXPECT_EQ(sender.Result(), kOk);
  absl::StatusOr<Mailbox::Message> again = mailbox->TryReceive();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->view(), "hot potato");
  EXPECT_TRUE(again->redelivered());
  again->Acknowledge();
}

TEST_F(MailboxTest, AMessageThatIsGivenBackWakesAReceiver) {
  for (MailboxCapacity capacity :
       {MailboxCapacity::Rendezvous(), MailboxCapacity::Bounded(2)}) {
    auto mailbox = Create(Options(capacity));
    std::thread sender([&] { EXPECT_EQ(mailbox->Send("again").code(), kOk); });
    absl::StatusOr<Mailbox::Message> message = mailbox->Receive();
    ASSERT_TRUE(message.ok()) << message.status();
    sender.join();
    Blocked receiver([&] {
      absl::StatusOr<Mailbox::Message> message = mailbox->Receive();
      if (message.ok()) message->Acknowledge();
      return message.status();
    });
    message->GiveBack();
    EXPECT_EQ(receiver.Result(), kOk);
    ASSERT_EQ(Mailbox::Destroy(kAddress).code(), kOk);
  }
}

// ---- The end ----

TEST_F(MailboxTest, CloseEndsWhatWaits) {
  for (MailboxCapacity capacity :
       {MailboxCapacity::Rendezvous(), MailboxCapacity::Bounded(1)}) {
    auto mailbox = Create(Options(capacity));
    auto other = Open();
    if (capacity.messages == 1) {
      Blocked receiver([&] { return mailbox->Receive().status(); });
      mailbox->Close();
      EXPECT_EQ(receiver.Result(), kCancelled);
      mailbox = Open();
      ASSERT_EQ(mailbox->Send("full").code(), kOk);
    }
    Blocked sender([&] { return mailbox->Send("waits"); });
    mailbox->Close();
    mailbox->Close();
    EXPECT_EQ(sender.Result(), kCancelled);
    EXPECT_EQ(mailbox->TrySend("x").code(), kCancelled);
    EXPECT_EQ(mailbox->TryReceive().status().code(), kCancelled);
    EXPECT_EQ(mailbox->TryLoanFor(1).status().code(), kCancelled);
    // Others go on.
    if (capacity.messages == 1) {
      EXPECT_EQ(Next(*other), "full");
    }
    EXPECT_EQ(other->TryReceive().status().code(), kUnavailable);
    ASSERT_EQ(Mailbox::Destroy(kAddress).code(), kOk);
  }
}

TEST_F(MailboxTest, AReceiverThatIsClosedTakesNobodysWakeUpAway) {
  auto mailbox = Create(Options(MailboxCapacity::Bounded(1)));
  auto closing = Open();
  Blocked first([&] { return closing->Receive().status(); });
  Blocked second([&] {
    absl::StatusOr<Mailbox::Message> message = mailbox->Receive();
    if (message.ok()) message->Acknowledge();
    return message.status();
  });
  std::thread closer([&] { closing->Close(); });
  EXPECT_EQ(mailbox->Send("for whoever stays").code(), kOk);
  closer.join();
  // If the first was faster than Close, it gave the message back.
  EXPECT_EQ(second.Result(), kOk);
  EXPECT_EQ(mailbox->Describe().redelivered, first.Result() == kOk ? 1u : 0u);
}

TEST_F(MailboxTest, MessagesAndLoansOutliveTheirObject) {
  auto mailbox = Create(Options(MailboxCapacity::Bounded(2)));
  auto other = Open();
  ASSERT_EQ(mailbox->Send("kept").code(), kOk);
  absl::StatusOr<Mailbox::Message> message = mailbox->TryReceive();
  absl::StatusOr<Mailbox::Loan> loan = mailbox->TryLoanFor(4);
  ASSERT_TRUE(message.ok() && loan.ok());
  mailbox.reset();
  EXPECT_EQ(message->view(), "kept");
  std::memcpy(loan->data(), "four", 4);
  EXPECT_EQ(other->TrySend("full").code(), kUnavailable);
  loan->Reset();
  EXPECT_EQ(other->TrySend("room").code(), kOk);
  message->GiveBack();
  EXPECT_EQ(Next(*other), "kept");
  EXPECT_EQ(Next(*other), "room");
  // A reactor thread may be looking round as the one that left, since the other
  // one came.
  const absl::Time end = absl::Now() + absl::Seconds(30);
  while (other->Describe().participants != 1 && absl::Now() < end)
    sched_yield();
  EXPECT_EQ(other->Describe().participants, 1u);
}

TEST_F(MailboxTest, DestroyEndsWhatWaits) {
  for (MailboxCapacity capacity :
       {MailboxCapacity::Rendezvous(), MailboxCapacity::Bounded(1)}) {
    auto mailbox = Create(Options(capacity));
    {
      Blocked receiver([&] { return mailbox->Receive().status(); });
      EXPECT_EQ(Mailbox::Destroy(kAddress).code(), kOk);
      EXPECT_EQ(receiver.Result(), kNotFound);
    }
    mailbox = Create(Options(capacity));
    if (capacity.messages == 1) {
      ASSERT_EQ(mailbox->Send("full").code(), kOk);
    }
    Blocked sender([&] { return mailbox->Send("waits"); });
    EXPECT_EQ(Mailbox::Destroy(kAddress).code(), kOk);
    EXPECT_EQ(sender.Result(), kNotFound);
    EXPECT_EQ(mailbox->TrySend("x").code(), kNotFound);
    EXPECT_EQ(mailbox->TryReceive().status().code(), kNotFound);
    EXPECT_TRUE(mailboxes_.Files().empty());
  }
}

TEST_F(MailboxTest, ADestroyedOnesMessagesAndLoansStayValid) {
  auto mailbox = Create(Options(MailboxCapacity::Bounded(2)));
  ASSERT_EQ(mailbox->Send("kept").code(), kOk);
  absl::StatusOr<Mailbox::Message> message = mailbox->TryReceive();
  absl::StatusOr<Mailbox::Loan> loan = mailbox->TryLoanFor(4);
  ASSERT_TRUE(message.ok() && loan.ok());
  ASSERT_EQ(Mailbox::Destroy(kAddress).code(), kOk);
  auto next = Create(Options(MailboxCapacity::Bounded(2)));
  EXPECT_EQ(message->view(), "kept");
  EXPECT_EQ(mailbox->Send(*std::move(loan)).code(), kNotFound);
  message->Acknowledge();
  EXPECT_EQ(next->TryReceive().status().code(), kUnavailable);
}

// ---- Numbers ----

TEST_F(MailboxTest, DescribeTellsWhatThereIs) {
  auto mailbox = Create(Options(MailboxCapacity::Bounded(5), 100));
  auto other = Open();
  ASSERT_EQ(mailbox->Send("1").code(), kOk);
  ASSERT_EQ(mailbox->Send("2").code(), kOk);
  absl::StatusOr<Mailbox::Message> message = other->TryReceive();
  ASSERT_TRUE(message.ok()) << message.status();
  const MailboxInfo info = mailbox->Describe();
  EXPECT_EQ(info.name, "test");
  EXPECT_EQ(mailbox->name(), "test");
  EXPECT_EQ(info.capacity.kind, MailboxCapacity::Kind::kBounded);
  EXPECT_EQ(info.capacity.messages, 5u);
  EXPECT_EQ(info.max_message_bytes, 100u);
  EXPECT_EQ(info.max_memory_bytes, 0u);
  EXPECT_EQ(info.mode, 0600u);
  EXPECT_EQ(info.waiting, 1u);
  EXPECT_EQ(info.unacknowledged, 1u);
  EXPECT_EQ(info.sent, 2u);
  EXPECT_EQ(info.received, 1u);
  EXPECT_EQ(info.redelivered, 0u);
  EXPECT_EQ(info.participants, 2u);
  EXPECT_GE(info.memory_bytes, 5u * 128);
}

TEST_F(MailboxTest, TheTableOfParticipantsHasAnEnd) {
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_max < 2000) GTEST_SKIP() << "too few descriptors allowed";
  limit.rlim_cur = 2000;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  std::vector<std::unique_ptr<Mailbox>> all;
  all.push_back(Create(Options(MailboxCapacity::Bounded(1))));
  while (all.size() < 1024) all.push_back(Open());
  EXPECT_EQ(all.front()->Describe().participants, 1024u);
  EXPECT_EQ(Mailbox::Open(kAddress).status().code(), kExhausted);
  all.pop_back();
  EXPECT_NE(Open(), nullptr);
}

TEST_F(MailboxTest, EveryPolicyOfWaitingWorks) {
  for (WaitPolicy policy :
       {WaitPolicy::kNever, WaitPolicy::kAdaptive, WaitPolicy::kBusy}) {
    MailboxOptions options = Options(MailboxCapacity::Bounded(1));
    options.wait_policy = policy;
    auto mailbox = Create(options);
    std::thread sender([&] {
      for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(mailbox->Send(std::to_string(i)).code(), kOk);
      }
    });
    for (int i = 0; i < 300; ++i) {
      absl::StatusOr<Mailbox::Message> message = mailbox->Receive();
      ASSERT_TRUE(message.ok()) << message.status();
      EXPECT_EQ(message->view(), std::to_string(i));
      message->Acknowledge();
    }
    sender.join();
    ASSERT_EQ(Mailbox::Destroy(kAddress).code(), kOk);
  }
}

}  // namespace
}  // namespace grpc_shm
