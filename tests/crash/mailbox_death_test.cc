// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A participant of a mailbox is killed, in a state that the test knows; the
// others go on within 100 ms. (mailbox_step_test.cc kills at any instruction,
// mailbox_kill_test.cc at any time.)

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/mailbox/await_asleep.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/base/monotonic_clock.h"
#include "transport/mailbox.h"

namespace grpc_shm {
namespace {

using testing::AwaitAsleep;
using testing::ChildProcess;
using testing::Conversation;
using testing::RunInChild;
using testing::TemporaryMailboxes;

constexpr char kAddress[] = "mailbox:mortal";
constexpr int64_t kPrompt = 100 * int64_t{1000000};  // nanoseconds

// A process with the mailbox open, which does what `work` says.
std::unique_ptr<ChildProcess> Participant(
    std::function<void(Mailbox&, Conversation&)> work) {
  return std::make_unique<ChildProcess>([work](Conversation& test) {
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox = Mailbox::Open(kAddress);
    ASSERT_TRUE(mailbox.ok()) << mailbox.status();
    work(**mailbox, test);
  });
}

// Says what it has received, whether that was marked, and when.
std::string Receipt(const absl::StatusOr<Mailbox::Message>& message) {
  if (!message.ok()) return message.status().ToString();
  return absl::StrCat(message->view(), message->redelivered() ? " again" : "");
}

// Says it, and when. Acknowledges it.
void ReceiveAndTell(Mailbox& mailbox, Conversation& test) {
  absl::StatusOr<Mailbox::Message> message = mailbox.Receive();
  const int64_t now = MonotonicNanos();
  test.Say(Receipt(message));
  test.Say(absl::StrCat(now));
  if (message.ok()) message->Acknowledge();
}

int64_t HearTime(ChildProcess& child) {
  int64_t time = 0;
  EXPECT_TRUE(absl::SimpleAtoi(child.conversation().Hear(), &time));
  return time;
}

class MailboxDeath : public ::testing::Test {
 protected:
  static void Create(MailboxCapacity capacity) {
    const absl::Status status = RunInChild([capacity] {
      MailboxOptions options;
      options.capacity = capacity;
      return Mailbox::Create(kAddress, options).status();
    });
    ASSERT_TRUE(status.ok()) << status;
  }

  // Sends `text` from a process of its own.
  static void Send(const std::string& text) {
    const absl::Status status = RunInChild([&text] {
      absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
          Mailbox::Open(kAddress);
      return mailbox.ok() ? (*mailbox)->Send(text) : mailbox.status();
    });
    ASSERT_TRUE(status.ok()) << status;
  }

  // What a new process finds in it.
  static std::string Contents() {
    ChildProcess child([](Conversation& test) {
      absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
          Mailbox::Open(kAddress);
      ASSERT_TRUE(mailbox.ok()) << mailbox.status();
      std::string all;
      while (true) {
        absl::StatusOr<Mailbox::Message> message = (*mailbox)->TryReceive();
        if (absl::IsUnavailable(message.status())) break;
        absl::StrAppend(&all, Receipt(message), ";");
        if (message.ok()) message->Acknowledge();
      }
      test.Say(absl::StrCat(all, "."));
    });
    return child.conversation().Hear();
  }

  TemporaryMailboxes mailboxes_;
};

TEST_F(MailboxDeath, OfAReceiverGivesWhatItHadNotAcknowledgedToAnother) {
  for (MailboxCapacity capacity :
       {MailboxCapacity::Bounded(4), MailboxCapacity::Unbounded()}) {
    Create(capacity);
    for (const char* text : {"1", "2", "3"}) Send(text);
    auto doomed = Participant([](Mailbox& mailbox, Conversation& test) {
      absl::StatusOr<Mailbox::Message> first = mailbox.Receive();
      absl::StatusOr<Mailbox::Message> second = mailbox.Receive();
      absl::StatusOr<Mailbox::Message> third = mailbox.Receive();
      ASSERT_TRUE(first.ok() && second.ok() && third.ok());
      first->Acknowledge();
      test.Say("has them");
      test.Hear();
    });
    ASSERT_EQ(doomed->conversation().Hear(), "has them");
    auto heir = Participant([](Mailbox& mailbox, Conversation& test) {
      test.Say("open");
      ReceiveAndTell(mailbox, test);
      ReceiveAndTell(mailbox, test);
    });
    ASSERT_EQ(heir->conversation().Hear(), "open");
    AwaitAsleep(heir->pid());
    const int64_t killed = MonotonicNanos();
    doomed->Kill();
    EXPECT_EQ(heir->conversation().Hear(), "2 again");
    EXPECT_LT(HearTime(*heir) - killed, kPrompt);
    EXPECT_EQ(heir->conversation().Hear(), "3 again");
    EXPECT_LT(HearTime(*heir) - killed, kPrompt);
    EXPECT_EQ(heir->Wait(), 0);
    EXPECT_EQ(Contents(), ".");
    ASSERT_TRUE(Mailbox::Destroy(kAddress).ok());
  }
}

TEST_F(MailboxDeath, OfASenderThatWasWritingLeavesNothingVisible) {
  Create(MailboxCapacity::Bounded(1));
  auto doomed = Participant([](Mailbox& mailbox, Conversation& test) {
    absl::StatusOr<Mailbox::Loan> loan = mailbox.LoanFor(1000);
    ASSERT_TRUE(loan.ok()) << loan.status();
    std::memset(loan->data(), '?', 500);
    test.Say("half-written");
    test.Hear();
  });
  ASSERT_EQ(doomed->conversation().Hear(), "half-written");
  auto next = Participant([](Mailbox& mailbox, Conversation& test) {
    test.Say("open");
    const absl::Status status = mailbox.Send("whole");
    const int64_t now = MonotonicNanos();
    test.Say(status.ToString());
    test.Say(absl::StrCat(now));
  });
  ASSERT_EQ(next->conversation().Hear(), "open");
  AwaitAsleep(next->pid());
  const int64_t killed = MonotonicNanos();
  doomed->Kill();
  EXPECT_EQ(next->conversation().Hear(), "OK");
  EXPECT_LT(HearTime(*next) - killed, kPrompt);
  EXPECT_EQ(next->Wait(), 0);
  EXPECT_EQ(Contents(), "whole;.");
}

TEST_F(MailboxDeath, OfAllLeavesTheMailboxToThoseWhoCome) {
  Create(MailboxCapacity::Bounded(3));
  Send("1");
  Send("2");
  auto receiver = Participant([](Mailbox& mailbox, Conversation& test) {
    absl::StatusOr<Mailbox::Message> message = mailbox.Receive();
    ASSERT_TRUE(message.ok()) << message.status();
    test.Say("has it");
    test.Hear();
  });
  ASSERT_EQ(receiver->conversation().Hear(), "has it");
  auto sender = Participant([](Mailbox& mailbox, Conversation& test) {
    absl::StatusOr<Mailbox::Loan> loan = mailbox.LoanFor(1);
    ASSERT_TRUE(loan.ok()) << loan.status();
    test.Say("lent");
    test.Hear();
  });
  ASSERT_EQ(sender->conversation().Hear(), "lent");
  // At once, so that neither mends what the other leaves.
  kill(receiver->pid(), SIGSTOP);
  kill(sender->pid(), SIGSTOP);
  receiver->Kill();
  sender->Kill();
  EXPECT_EQ(Contents(), "1 again;2;.");
  for (const char* text : {"a", "b", "c"}) Send(text);
  EXPECT_EQ(Contents(), "a;b;c;.");
}

TEST_F(MailboxDeath, IsNoticedBeforeAnybodyHasWaitedForTheProcess) {
  Create(MailboxCapacity::Bounded(1));
  Send("1");
  auto doomed = Participant([](Mailbox& mailbox, Conversation& test) {
    absl::StatusOr<Mailbox::Message> message = mailbox.Receive();
    test.Say(Receipt(message));
    test.Hear();
  });
  ASSERT_EQ(doomed->conversation().Hear(), "1");
  kill(doomed->pid(), SIGKILL);
  siginfo_t info;  // dead, and left a zombie
  ASSERT_EQ(
      waitid(P_PID, static_cast<id_t>(doomed->pid()), &info, WEXITED | WNOWAIT),
      0);
  EXPECT_EQ(Contents(), "1 again;.");
}

TEST_F(MailboxDeath, IsNotWhatAStoppedProcessIsTakenFor) {
  Create(MailboxCapacity::Bounded(3));
  for (const char* text : {"1", "2", "3"}) Send(text);
  auto stopped = Participant([](Mailbox& mailbox, Conversation& test) {
    absl::StatusOr<Mailbox::Message> message = mailbox.Receive();
    test.Say(Receipt(message));
    test.Hear();
    if (message.ok()) message->Acknowledge();
  });
  ASSERT_EQ(stopped->conversation().Hear(), "1");
  ASSERT_EQ(kill(stopped->pid(), SIGSTOP), 0);
  EXPECT_EQ(Contents(), "2;3;.");
  Send("4");
  EXPECT_EQ(Contents(), "4;.");
  ASSERT_EQ(kill(stopped->pid(), SIGCONT), 0);
  stopped->conversation().Say("go on");
  EXPECT_EQ(stopped->Wait(), 0);
  EXPECT_EQ(Contents(), ".");
}

TEST_F(MailboxDeath, OfAReceiverThatHadBeenWokenWakesAnother) {
  Create(MailboxCapacity::Bounded(1));
  const auto receive = [](Mailbox& mailbox, Conversation& test) {
    test.Say("open");
    ReceiveAndTell(mailbox, test);
  };
  auto doomed = Participant(receive);
  ASSERT_EQ(doomed->conversation().Hear(), "open");
  AwaitAsleep(doomed->pid());
  auto other = Participant(receive);
  ASSERT_EQ(other->conversation().Hear(), "open");
  AwaitAsleep(other->pid());
  // Who sleeps longest is woken first; stopped, it does not get to it.
  ASSERT_EQ(kill(doomed->pid(), SIGSTOP), 0);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(doomed->pid()), &info,
                   WSTOPPED | WNOWAIT),
            0);
  Send("for the living");
  const int64_t killed = MonotonicNanos();
  doomed->Kill();
  EXPECT_EQ(other->conversation().Hear(), "for the living");
  EXPECT_LT(HearTime(*other) - killed, kPrompt);
  EXPECT_EQ(other->Wait(), 0);
}

TEST_F(MailboxDeath, OfASenderThatWaitsInARendezvousTakesItsMessageAlong) {
  Create(MailboxCapacity::Rendezvous());
  auto doomed = Participant([](Mailbox& mailbox, Conversation& test) {
    test.Say("open");
    (void)mailbox.Send("last words");
  });
  ASSERT_EQ(doomed->conversation().Hear(), "open");
  AwaitAsleep(doomed->pid());
  doomed->Kill();
  EXPECT_EQ(Contents(), ".");
}

TEST_F(MailboxDeath, OfAReceiverThatWaitsInARendezvousFreesItsPlace) {
  Create(MailboxCapacity::Rendezvous());
  auto doomed = Participant([](Mailbox& mailbox, Conversation& test) {
    test.Say("open");
    (void)mailbox.Receive();
  });
  ASSERT_EQ(doomed->conversation().Hear(), "open");
  AwaitAsleep(doomed->pid());
  doomed->Kill();
  const absl::Status status = RunInChild([] {
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox = Mailbox::Open(kAddress);
    return mailbox.ok() ? (*mailbox)->TrySend("x") : mailbox.status();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
}

TEST_F(MailboxDeath, OfAReceiverInARendezvousPassesTheMessageOn) {
  Create(MailboxCapacity::Rendezvous());
  auto sender = Participant([](Mailbox& mailbox, Conversation& test) {
    test.Say(mailbox.Send("hot potato").ToString());
  });
  auto doomed = Participant([](Mailbox& mailbox, Conversation& test) {
    absl::StatusOr<Mailbox::Message> message = mailbox.Receive();
    test.Say(Receipt(message));
    test.Hear();
  });
  ASSERT_EQ(doomed->conversation().Hear(), "hot potato");
  ASSERT_EQ(sender->conversation().Hear(), "OK");
  auto heir = Participant([](Mailbox& mailbox, Conversation& test) {
    test.Say("open");
    ReceiveAndTell(mailbox, test);
  });
  ASSERT_EQ(heir->conversation().Hear(), "open");
  AwaitAsleep(heir->pid());
  const int64_t killed = MonotonicNanos();
  doomed->Kill();
  EXPECT_EQ(heir->conversation().Hear(), "hot potato again");
  EXPECT_LT(HearTime(*heir) - killed, kPrompt);
}

TEST_F(MailboxDeath, OfEveryoneInAFullTableMakesRoom) {
  Create(MailboxCapacity::Bounded(1));
  Send("left");
  auto doomed = Participant([](Mailbox& mailbox, Conversation& test) {
    rlimit limit;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 2000);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    absl::StatusOr<Mailbox::Message> message = mailbox.Receive();
    ASSERT_TRUE(message.ok()) << message.status();
    std::vector<std::unique_ptr<Mailbox>> others;
    absl::Status status;
    while (status.ok()) {
      absl::StatusOr<std::unique_ptr<Mailbox>> next = Mailbox::Open(kAddress);
      status = next.status();
      if (next.ok()) others.push_back(*std::move(next));
    }
    test.Say(absl::StrCat(others.size()));
    test.Hear();
  });
  const std::string opened = doomed->conversation().Hear();
  if (opened != "1023") GTEST_SKIP() << "too few descriptors: " << opened;
  doomed->Kill();
  EXPECT_EQ(Contents(), "left again;.");
}

}  // namespace
}  // namespace grpc_shm
