// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Senders and receivers of a mailbox are killed at random times, and come back,
// while the others work. In the end nothing is lost that was sent and not
// acknowledged, nothing came twice without being marked, nothing is left in
// /dev/shm.
//
//   bazel run //tests/crash:mailbox_kill_test -- --seconds=600

#include <signal.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/crash/mailbox_ledger.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/mailbox.h"

ABSL_FLAG(double, seconds, 2, "How long to kill, for each kind of mailbox.");
ABSL_FLAG(uint32_t, seed, 0, "Of what is random; 0: the time.");

namespace grpc_shm {
namespace {

using testing::ChildProcess;
using testing::Conversation;
using testing::MailboxLedger;
using testing::RunInChild;
using testing::TemporaryMailboxes;

constexpr char kAddress[] = "mailbox:battlefield";
constexpr int kSenders = 3;
constexpr int kReceivers = 3;
constexpr uint32_t kCapacity = 5;
constexpr size_t kMaxMessageBytes = 4096;
// A receiver that gets nothing for so long, after the senders have ended, is
// done.
constexpr absl::Duration kQuiet = absl::Milliseconds(200);
// Nobody is so slow.
constexpr absl::Duration kHang = absl::Seconds(20);

// Says which one it is at both ends, and has bytes of its own in between.
std::string Text(int sender, uint32_t number) {
  const std::string id = absl::StrCat(sender, ":", number);
  return absl::StrCat(
      id, ":", std::string(number * 37 % 3000, static_cast<char>('a' + sender)),
      ":", id);
}

bool Parse(absl::string_view text, int* sender, uint32_t* number) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  return parts.size() == 5 && absl::SimpleAtoi(parts[0], sender) &&
         absl::SimpleAtoi(parts[1], number) && text == Text(*sender, *number);
}

// In memory that the processes share.
struct Orders {
  std::atomic<bool> senders_end{false};
  std::atomic<bool> receivers_end{false};
};

// Sends in each way in turn.
absl::Status SendOne(Mailbox& mailbox, const std::string& text,
                     uint32_t number) {
  switch (number % 3) {
    case 0:
      return mailbox.Send(text);
    case 1: {
      absl::StatusOr<Mailbox::Loan> loan = mailbox.LoanFor(kMaxMessageBytes);
      if (!loan.ok()) return loan.status();
      std::memcpy(loan->data(), text.data(), text.size());
      loan->Truncate(text.size());
      return mailbox.Send(*std::move(loan));
    }
    default:
      return mailbox.Send(text, absl::Now() + absl::Milliseconds(1));
  }
}

void Send(int sender, Orders& orders, MailboxLedger& ledger) {
  absl::StatusOr<std::unique_ptr<Mailbox>> mailbox = Mailbox::Open(kAddress);
  if (!mailbox.ok()) return ledger.Fail(mailbox.status().ToString());
  uint32_t number;
  while (!orders.senders_end && ledger.Begin(sender, &number)) {
    const absl::Status status =
        SendOne(**mailbox, Text(sender, number), number);
    if (status.ok()) {
      ledger.Sent(sender, number);
    } else if (!absl::IsDeadlineExceeded(status) &&
               !absl::IsResourceExhausted(status)) {
      return ledger.Fail(status.ToString());
    }
  }
}

void Receive(Orders& orders, MailboxLedger& ledger) {
  absl::StatusOr<std::unique_ptr<Mailbox>> mailbox = Mailbox::Open(kAddress);
  if (!mailbox.ok()) return ledger.Fail(mailbox.status().ToString());
  std::vector<int64_t> last(kSenders, -1);
  while (true) {
    absl::StatusOr<Mailbox::Message> message =
        (*mailbox)->Receive(absl::Now() + kQuiet);
    if (absl::IsDeadlineExceeded(message.status())) {
      if (orders.receivers_end) return;
      continue;
    }
    if (!message.ok()) return ledger.Fail(message.status().ToString());
    int sender;
    uint32_t number;
    if (!Parse(message->view(), &sender, &number)) {
      return ledger.Fail(absl::StrCat("a message is not what was sent: ",
                                      message->view().substr(0, 50)));
    }
    const std::string wrong =
        ledger.Received(sender, number, message->redelivered());
    if (!wrong.empty()) ledger.Fail(wrong);
    if (!message->redelivered()) {
      if (number <= last[sender]) {
        ledger.Fail(
            absl::StrCat(sender, ":", number, " came after ", last[sender]));
      }
      last[sender] = number;
      if (number % 7 == 0) continue;  // it goes back
    }
    ledger.Acknowledging(sender, number);
    message->Acknowledge();
    ledger.Acknowledged(sender, number);
  }
}

class Battle {
 public:
  Battle(MailboxLedger* ledger, Orders* orders, uint32_t seed)
      : ledger_(ledger), orders_(orders), random_(seed) {
    for (int i = 0; i < kSenders + kReceivers; ++i)
      fighters_.push_back(Fork(i));
  }

  // Kills and replaces; returns how often. 0 if nobody gets on any more.
  int Rage(absl::Duration time) {
    int kills = 0;
    uint64_t progress = ledger_->acknowledged();
    absl::Time progressed = absl::Now();
    const absl::Time end = progressed + time;
    while (absl::Now() < end || ledger_->acknowledged() == 0) {
      // Any time, to hit any instruction.
      absl::SleepFor(absl::Microseconds(Upto(10000)));
      const int one = Upto(kSenders + kReceivers - 1);
      if (Upto(3) == 0) {
        // Has others find it in their way before it dies.
        kill(fighters_[one]->pid(), SIGSTOP);
        absl::SleepFor(absl::Microseconds(Upto(5000)));
      }
      fighters_[one]->Kill();
      fighters_[one] = Fork(one);
      ++kills;
      if (ledger_->acknowledged() != progress) {
        progress = ledger_->acknowledged();
        progressed = absl::Now();
      } else if (absl::Now() - progressed > kHang) {
        return 0;
      }
    }
    return kills;
  }

  // Lets all finish.
  void End() {
    orders_->senders_end = true;
    for (int i = 0; i < kSenders; ++i) EXPECT_EQ(fighters_[i]->Wait(), 0);
    orders_->receivers_end = true;
    for (int i = kSenders; i < kSenders + kReceivers; ++i)
      EXPECT_EQ(fighters_[i]->Wait(), 0);
  }

 private:
  int Upto(int most) {
    return std::uniform_int_distribution<int>(0, most)(random_);
  }

  std::unique_ptr<ChildProcess> Fork(int i) {
    return std::make_unique<ChildProcess>([this, i](Conversation&) {
      if (i < kSenders) {
        Send(i, *orders_, *ledger_);
      } else {
        Receive(*orders_, *ledger_);
      }
    });
  }

  MailboxLedger* const ledger_;
  Orders* const orders_;
  std::mt19937 random_;
  std::vector<std::unique_ptr<ChildProcess>> fighters_;
};

class MailboxKill : public ::testing::TestWithParam<MailboxCapacity> {
 protected:
  TemporaryMailboxes mailboxes_;
};

// Whether a mailbox that is empty has all its places.
absl::Status CheckWhole(uint32_t places) {
  absl::StatusOr<std::unique_ptr<Mailbox>> mailbox = Mailbox::Open(kAddress);
  if (!mailbox.ok()) return mailbox.status();
  const MailboxInfo info = (*mailbox)->Describe();
  if (info.waiting != 0 || info.unacknowledged != 0) {
    return absl::InternalError(absl::StrCat(
        info.waiting, " waiting, ", info.unacknowledged, " unacknowledged"));
  }
  if (info.participants != 1) {
    return absl::InternalError(
        absl::StrCat(info.participants, " participants are left"));
  }
  std::vector<Mailbox::Loan> loans;
  absl::StatusOr<Mailbox::Loan> loan;
  while ((loan = (*mailbox)->TryLoanFor(1)).ok() && loans.size() <= places) {
    loans.push_back(*std::move(loan));
  }
  return loans.size() == places
             ? absl::OkStatus()
             : absl::InternalError(
                   absl::StrCat(loans.size(), " places are left of ", places));
}

TEST_P(MailboxKill, NothingIsLostNothingComesTwiceUnmarkedNothingIsLeft) {
  const MailboxCapacity capacity = GetParam();
  constexpr size_t kMemory = 256 << 10;
  const absl::Status created = RunInChild([capacity] {
    MailboxOptions options;
    options.capacity = capacity;
    options.max_message_bytes = kMaxMessageBytes;
    options.max_memory_bytes = kMemory;
    return Mailbox::Create(kAddress, options).status();
  });
  ASSERT_TRUE(created.ok()) << created;
  uint32_t seed = absl::GetFlag(FLAGS_seed);
  if (seed == 0) seed = static_cast<uint32_t>(absl::ToUnixNanos(absl::Now()));
  MailboxLedger ledger;
  auto* const orders =
      static_cast<Orders*>(mmap(nullptr, sizeof(Orders), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(orders, MAP_FAILED);
  {
    Battle battle(&ledger, orders, seed);
    const int kills = battle.Rage(absl::Seconds(absl::GetFlag(FLAGS_seconds)));
    EXPECT_GT(kills, 0) << "nobody gets on any more";
    if (kills == 0) return;
    battle.End();
    std::printf("seed %u: %d kills, %llu messages sent and acknowledged\n",
                seed, kills,
                static_cast<unsigned long long>(ledger.acknowledged()));
  }
  EXPECT_EQ(ledger.failures(), 0u);
  EXPECT_EQ(ledger.Lost(), "");
  uint32_t places = capacity.messages;
  if (capacity.kind == MailboxCapacity::Kind::kRendezvous) places = 64;
  if (capacity.kind == MailboxCapacity::Kind::kUnbounded)
    places = kMemory / 4096;
  const absl::Status whole = RunInChild([&] { return CheckWhole(places); });
  EXPECT_TRUE(whole.ok()) << whole;
  EXPECT_TRUE(Mailbox::Destroy(kAddress).ok());
  EXPECT_TRUE(mailboxes_.Files().empty());
  munmap(orders, sizeof(Orders));
}

INSTANTIATE_TEST_SUITE_P(
    Each, MailboxKill,
    ::testing::Values(MailboxCapacity::Rendezvous(),
                      MailboxCapacity::Bounded(1),
                      MailboxCapacity::Bounded(kCapacity),
                      MailboxCapacity::Unbounded()),
    [](const ::testing::TestParamInfo<MailboxCapacity>& info) {
      return std::string(info.param.kind == MailboxCapacity::Kind::kRendezvous
                             ? "Rendezvous"
                         : info.param.kind == MailboxCapacity::Kind::kUnbounded
                             ? "Unbounded"
                             : absl::StrCat("Bounded", info.param.messages));
    });

}  // namespace
}  // namespace grpc_shm

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  return RUN_ALL_TESTS();
}
