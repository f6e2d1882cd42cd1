// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Somebody writes into a mailbox's segment past its interface, before and while
// two others use it: messages may be lost or wrong, but nobody is led outside
// of the segment, and every operation comes to its end.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/fuzz/fuzz_input.pb.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/memory_mutator.h"
#include "tests/fuzz/poke.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/base/unique_fd.h"
#include "transport/mailbox.h"

namespace grpc_shm {
namespace fuzz {
namespace {

constexpr char kName[] = "fuzz";
constexpr char kAddress[] = "mailbox:fuzz";
constexpr absl::Duration kLittle = absl::Microseconds(200);
constexpr size_t kMaxHeld = 8;

const testing::TemporaryMailboxes& Place() {
  static const auto* const place = [] {
    auto* const made = new testing::TemporaryMailboxes;
    std::atexit([] { delete &Place(); });
    return made;
  }();
  return *place;
}

MailboxOptions OptionsOf(const MailboxInput& input) {
  MailboxOptions options;
  options.max_message_bytes = 1 + input.max_message_bytes() % 8192;
  options.max_memory_bytes = 64 << 10;
  options.wait_policy = WaitPolicy::kNever;
  switch (input.kind()) {
    case MailboxInput::RENDEZVOUS:
      options.capacity = MailboxCapacity::Rendezvous();
      break;
    case MailboxInput::BOUNDED:
      options.capacity = MailboxCapacity::Bounded(1 + input.messages() % 8);
      break;
    default:
      options.capacity = MailboxCapacity::Unbounded();
  }
  return options;
}

// The segment, as who writes past the interface has it.
class Memory {
 public:
  Memory() {
    const UniqueFd fd(open(Place().Path(kName).c_str(), O_RDWR | O_CLOEXEC));
    struct stat info;
    FUZZ_CHECK(fstat(fd.get(), &info) == 0);
    bytes_ = static_cast<size_t>(info.st_size);
    at_ = static_cast<std::byte*>(
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
    FUZZ_CHECK(at_ != MAP_FAILED);
  }
  ~Memory() { munmap(at_, bytes_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  std::byte* at() const { return at_; }
  size_t bytes() const { return bytes_; }
  // All but the messages, as good as.
  size_t bytes_of_words() const { return std::min<size_t>(bytes_, 16384); }

 private:
  std::byte* at_;
  size_t bytes_;
};

// One object, and what it has.
struct User {
  std::unique_ptr<Mailbox> mailbox;
  std::vector<Mailbox::Loan> loans;
  std::vector<Mailbox::Message> messages;
};

// Nothing that any operation may fail with says that we are wrong.
void Expect(const absl::Status& status) {
  FUZZ_CHECK(!absl::IsInternal(status) && !absl::IsUnknown(status));
  FUZZ_CHECK(status.ok() || !status.message().empty());
}

void Receive(User& user, bool wait, size_t max_message_bytes) {
  absl::StatusOr<Mailbox::Message> message =
      wait ? user.mailbox->Receive(absl::Now() + kLittle)
           : user.mailbox->TryReceive();
  Expect(message.status());
  if (!message.ok()) return;
  FUZZ_CHECK(message->size() <= max_message_bytes);
  uint64_t sum = 0;  // each byte is there
  for (const char byte : message->view()) sum += static_cast<uint8_t>(byte);
  FUZZ_CHECK(sum <= uint64_t{255} * message->size());
  if (user.messages.size() < kMaxHeld)
    user.messages.push_back(*std::move(message));
}

void Lend(User& user, size_t bytes, bool wait) {
  absl::StatusOr<Mailbox::Loan> loan =
      wait ? user.mailbox->LoanFor(bytes, absl::Now() + kLittle)
           : user.mailbox->TryLoanFor(bytes);
  Expect(loan.status());
  if (!loan.ok()) return;
  FUZZ_CHECK(loan->size() == bytes);
  std::fill_n(loan->data(), bytes, 'l');
  if (user.loans.size() < kMaxHeld) user.loans.push_back(*std::move(loan));
}

void SendLoan(User& user, bool wait) {
  if (user.loans.empty()) return;
  Mailbox::Loan loan = std::move(user.loans.back());
  user.loans.pop_back();
  Expect(wait ? user.mailbox->Send(std::move(loan), absl::Now() + kLittle)
              : user.mailbox->TrySend(std::move(loan)));
}

void Send(User& user, size_t bytes, bool wait) {
  const std::string message(bytes, 'm');
  Expect(wait ? user.mailbox->Send(message, absl::Now() + kLittle)
              : user.mailbox->TrySend(message));
}

void Open(User& user) {
  // What is out stays valid.
  absl::StatusOr<std::unique_ptr<Mailbox>> opened = Mailbox::Open(kAddress);
  Expect(opened.status());
  if (!opened.ok()) return;
  user.loans.clear();  // of the other object
  user.mailbox = *std::move(opened);
}

void Do(const MailboxStep& step, User& user, const Memory& memory,
        size_t max_message_bytes) {
  switch (step.step_case()) {
    case MailboxStep::kPoke:
      DoPoke(step.poke(), memory.at(), memory.bytes_of_words());
      break;
    case MailboxStep::kPokeAnywhere:
      DoPoke(step.poke_anywhere(), memory.at(), memory.bytes());
      break;
    case MailboxStep::kSend:
      Send(user, step.send() % (max_message_bytes + 2), step.wait());
      break;
    case MailboxStep::kLoan:
      Lend(user, step.loan() % (max_message_bytes + 2), step.wait());
      break;
    case MailboxStep::kSendLoan:
      SendLoan(user, step.wait());
      break;
    case MailboxStep::kForgetLoan:
      if (!user.loans.empty()) user.loans.pop_back();
      break;
    case MailboxStep::kReceive:
      Receive(user, step.wait(), max_message_bytes);
      break;
    case MailboxStep::kAcknowledge:
      if (user.messages.empty()) break;
      user.messages.back().Acknowledge();
      user.messages.pop_back();
      break;
    case MailboxStep::kGiveBack:
      if (!user.messages.empty()) user.messages.pop_back();
      break;
    case MailboxStep::kDescribe:
      user.mailbox->Describe();
      Expect(Mailbox::List().status());
      break;
    case MailboxStep::kOpen:
      Open(user);
      break;
    case MailboxStep::kClose:
      user.mailbox->Close();
      break;
    case MailboxStep::kDestroy:
      Expect(Mailbox::Destroy(kAddress));
      break;
    default:
      break;
  }
}

void Run(const MailboxInput& input) {
  Place();
  const MailboxOptions options = OptionsOf(input);
  User users[2];
  absl::StatusOr<std::unique_ptr<Mailbox>> created =
      Mailbox::Create(kAddress, options);
  FUZZ_CHECK(created.ok());
  users[0].mailbox = *std::move(created);
  absl::StatusOr<std::unique_ptr<Mailbox>> opened = Mailbox::Open(kAddress);
  FUZZ_CHECK(opened.ok());
  users[1].mailbox = *std::move(opened);
  {
    const Memory memory;
    const MemoryMutator::Scope mutator(input.mutator(), memory.at(),
                                       memory.bytes_of_words(), memory.at(),
                                       memory.bytes_of_words());
    for (const MailboxStep& step : input.steps()) {
      Do(step, users[step.other() ? 1 : 0], memory, options.max_message_bytes);
    }
    // All that is out goes back, into what may be in ruins.
    for (User& user : users) {
      user.loans.clear();
      user.messages.clear();
      user.mailbox.reset();
    }
  }
  const absl::Status destroyed = Mailbox::Destroy(kAddress);
  FUZZ_CHECK(destroyed.ok() || absl::IsNotFound(destroyed));
}

}  // namespace
}  // namespace fuzz
}  // namespace grpc_shm

GRPC_SHM_FUZZ_TARGET(grpc_shm::fuzz::MailboxInput, grpc_shm::fuzz::Run)
