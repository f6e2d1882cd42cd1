// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A process is killed after each number of machine instructions that it has
// taken of one operation on a mailbox, as a debugger steps through it; whatever
// it left must be mended by who comes next. By default some thirty such
// points of each operation, other ones in each run; with --stride=1 all of
// them:
//
//   bazel run //tests/crash:mailbox_step_test -- --stride=1

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/mailbox/await_asleep.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/mailbox.h"

ABSL_FLAG(int, stride, 0,
          "Instructions from one point to the next; 0: so that there are "
          "about thirty, at random places.");
ABSL_FLAG(uint32_t, seed, 0, "Of what is random; 0: the time.");

namespace grpc_shm {
namespace {

using testing::AwaitAsleep;
using testing::ChildProcess;
using testing::Conversation;
using testing::RunInChild;
using testing::TemporaryMailboxes;

constexpr char kAddress[] = "mailbox:debugged";

// By default: at most so many points, and fewer where it would take more steps
// than that to get to all of them.
constexpr int kMaxPoints = 30;
constexpr int kMaxSteps = 400000;

// Must not look at the clock: one who is stepped through it too slowly sees it
// change each time, and tries for ever.
using Operation = std::function<void(Mailbox&)>;

// A process that has the mailbox open and stands right before an operation,
// obeying the debugger.
class Victim {
 public:
  explicit Victim(const Operation& operation)
      : process_([operation](Conversation& test) {
          absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
              Mailbox::Open(kAddress);
          if (!mailbox.ok()) return;
          if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
            test.Say("no ptrace");
            return;
          }
          raise(SIGSTOP);
          operation(**mailbox);
          raise(SIGSTOP);
        }) {
    int status;
    stands_ = waitpid(process_.pid(), &status, 0) == process_.pid() &&
              WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP;
  }

  // False: this system does not allow it.
  bool stands() const { return stands_; }

  // Takes up to so many instructions; returns how many it was until the end of
  // the operation.
  int Step(int count) {
    for (int i = 0; i < count; ++i) {
      int status;
      if (ptrace(PTRACE_SINGLESTEP, process_.pid(), nullptr, nullptr) != 0 ||
          waitpid(process_.pid(), &status, 0) != process_.pid() ||
          !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) {
        return i;
      }
    }
    return count;
  }

  void Kill() { process_.Kill(); }

 private:
  ChildProcess process_;
  bool stands_ = false;
};

absl::Status Create(MailboxCapacity capacity) {
  return RunInChild([capacity] {
    MailboxOptions options;
    options.capacity = capacity;
    options.max_message_bytes = 64;
    options.max_memory_bytes = 16 * 4096;
    return Mailbox::Create(kAddress, options).status();
  });
}

absl::Status SendAll(const std::vector<std::string>& texts) {
  return RunInChild([&texts]() -> absl::Status {
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox = Mailbox::Open(kAddress);
    if (!mailbox.ok()) return mailbox.status();
    for (const std::string& text : texts) {
      const absl::Status status = (*mailbox)->TrySend(text);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  });
}

// What a new process finds in it; all its places must be there then.
std::string Contents(size_t places) {
  ChildProcess child([places](Conversation& test) {
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox = Mailbox::Open(kAddress);
    if (!mailbox.ok()) {
      test.Say(mailbox.status().ToString());
      return;
    }
    std::string all;
    while (true) {
      absl::StatusOr<Mailbox::Message> message = (*mailbox)->TryReceive();
      if (absl::IsUnavailable(message.status())) break;
      if (!message.ok()) {
        test.Say(message.status().ToString());
        return;
      }
      absl::StrAppend(&all, message->view(),
                      message->redelivered() ? " again;" : ";");
      message->Acknowledge();
    }
    std::vector<Mailbox::Loan> loans;
    absl::StatusOr<Mailbox::Loan> loan;
    while ((loan = (*mailbox)->TryLoanFor(1)).ok()) {
      loans.push_back(*std::move(loan));
    }
    if (loans.size() != places) {
      absl::StrAppend(&all, " and ", loans.size(), " places of ", places);
    }
    const uint32_t participants = (*mailbox)->Describe().participants;
    if (participants > 2) {  // a companion may have just been served
      absl::StrAppend(&all, " and ", participants, " participants");
    }
    test.Say(absl::StrCat(all, "."));
  });
  return child.conversation().Hear();
}

class MailboxStep : public ::testing::Test {
 protected:
  // How an operation is prepared, and what may be found after it was cut short;
  // "" and the whole effect both count as that.
  struct Case {
    MailboxCapacity capacity;
    size_t places;
    std::vector<std::string> before;
    Operation operation;
    std::set<std::string> allowed;
    // The first and the last of what is found, from no instruction to all.
    std::string untouched;
    std::string whole;
    // Another process, which has begun to wait. After the death it is sent
    // `after`, if it still waits; what it says is found as well.
    std::function<void(Mailbox&, Conversation&)> companion = nullptr;
    const char* after = nullptr;
  };

  static std::string CutAfter(const Case& one, int instructions, int* taken) {
    absl::Status status = Create(one.capacity);
    EXPECT_TRUE(status.ok()) << status;
    if (!one.before.empty()) {
      status = SendAll(one.before);
      EXPECT_TRUE(status.ok()) << status;
    }
    std::unique_ptr<ChildProcess> companion;
    if (one.companion != nullptr) {
      companion = std::make_unique<ChildProcess>([&one](Conversation& test) {
        absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
            Mailbox::Open(kAddress);
        test.Say("open");
        if (mailbox.ok()) one.companion(**mailbox, test);
      });
      companion->conversation().Hear();
      AwaitAsleep(companion->pid());
    }
    Victim victim(one.operation);
    if (!victim.stands()) return "";
    *taken = victim.Step(instructions);
    victim.Kill();
    std::string found;
    if (one.after != nullptr) {
      (void)SendAll({one.after});
      absl::StrAppend(&found, companion->conversation().Hear());
      companion->Wait();
    }
    absl::StrAppend(&found, Contents(one.places));
    if (companion != nullptr && one.after == nullptr) {
      absl::StrAppend(&found, companion->conversation().Hear());
      companion->Wait();
    }
    EXPECT_TRUE(Mailbox::Destroy(kAddress).ok());
    return found;
  }

  static void Run(const Case& one) {
    constexpr int kAll = 10000000;
    int all = 0;
    const std::string whole = CutAfter(one, kAll, &all);
    if (whole.empty()) GTEST_SKIP() << "this system does not allow ptrace";
    EXPECT_EQ(whole, one.whole);
    ASSERT_GT(all, 100);
    ASSERT_LT(all, kAll);
    uint32_t seed = absl::GetFlag(FLAGS_seed);
    if (seed == 0) seed = static_cast<uint32_t>(absl::ToUnixNanos(absl::Now()));
    std::mt19937 random(seed);
    int stride = absl::GetFlag(FLAGS_stride);
    const bool random_places = stride == 0;
    if (random_places) {
      // On average it is half of the way.
      const int points = std::min(kMaxPoints, 1 + 2 * kMaxSteps / all);
      stride = std::max(1, all / points);
    }
    std::printf("%d instructions, seed %u\n", all, seed);
    std::set<std::string> found;
    for (int at = 0; at < all; at += stride) {
      const int point =
          random_places
              ? at + static_cast<int>(random() % static_cast<unsigned>(stride))
              : at;
      int taken = 0;
      const std::string contents = CutAfter(one, point, &taken);
      found.insert(contents);
      ASSERT_TRUE(one.allowed.count(contents) == 1)
          << "killed after " << point << " of " << all
          << " instructions, it leaves: " << contents << " (seed " << seed
          << ")";
    }
    EXPECT_EQ(found.count(one.untouched), 1u);
    EXPECT_EQ(found.count(one.whole), 1u);
  }

  TemporaryMailboxes mailboxes_;
};

void ReceiveThen(Mailbox& mailbox, void (Mailbox::Message::*end)()) {
  absl::StatusOr<Mailbox::Message> message = mailbox.TryReceive();
  if (message.ok()) ((*message).*end)();
}

TEST_F(MailboxStep, ThroughASend) {
  Run({MailboxCapacity::Bounded(2),
       2,
       {"old"},
       [](Mailbox& mailbox) { (void)mailbox.TrySend("new"); },
       {"old;.", "old;new;."},
       "old;.",
       "old;new;."});
}

TEST_F(MailboxStep, ThroughASendThatNeedsMemory) {
  Run({MailboxCapacity::Unbounded(),
       16,
       {},
       [](Mailbox& mailbox) { (void)mailbox.TrySend("new"); },
       {".", "new;."},
       ".",
       "new;."});
}

TEST_F(MailboxStep, ThroughAnAcknowledgedReceive) {
  Run({MailboxCapacity::Bounded(2),
       2,
       {"1", "2"},
       [](Mailbox& mailbox) {
         ReceiveThen(mailbox, &Mailbox::Message::Acknowledge);
       },
       {"1;2;.", "1 again;2;.", "2;."},
       "1;2;.",
       "2;."});
}

TEST_F(MailboxStep, ThroughAReceiveThatIsGivenBack) {
  Run({MailboxCapacity::Bounded(2),
       2,
       {"1", "2"},
       [](Mailbox& mailbox) {
         ReceiveThen(mailbox, &Mailbox::Message::GiveBack);
       },
       {"1;2;.", "1 again;2;."},
       "1;2;.",
       "1 again;2;."});
}

TEST_F(MailboxStep, ThroughAReceiveThatFreesMemory) {
  Run({MailboxCapacity::Unbounded(),
       16,
       {"1", "2"},
       [](Mailbox& mailbox) {
         ReceiveThen(mailbox, &Mailbox::Message::Acknowledge);
       },
       {"1;2;.", "1 again;2;.", "2;."},
       "1;2;.",
       "2;."});
}

TEST_F(MailboxStep, ThroughASendToAReceiverThatWaits) {
  Run({MailboxCapacity::Rendezvous(),
       64,
       {},
       [](Mailbox& mailbox) { (void)mailbox.TrySend("new"); },
       {"after;.", "new;."},
       "after;.",
       "new;.",
       [](Mailbox& mailbox, Conversation& test) {
         absl::StatusOr<Mailbox::Message> message = mailbox.Receive();
         if (!message.ok()) return;
         test.Say(absl::StrCat(message->view(), ";"));
         message->Acknowledge();
       },
       "after"});
}

TEST_F(MailboxStep, ThroughAReceiveFromASenderThatWaits) {
  Run({MailboxCapacity::Rendezvous(),
       64,
       {},
       [](Mailbox& mailbox) {
         ReceiveThen(mailbox, &Mailbox::Message::Acknowledge);
       },
       {"hot;.OK", "hot again;.OK", ".OK"},
       "hot;.OK",
       ".OK",
       [](Mailbox& mailbox, Conversation& test) {
         test.Say(mailbox.Send("hot").ToString());
       }});
}

}  // namespace
}  // namespace grpc_shm

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  return RUN_ALL_TESTS();
}
