// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A member of a mailbox that writes into the segment past its interface, one
// corruption after the other. The others may lose messages, or get wrong ones.
// They are led neither outside of the segment nor into waiting past their
// deadlines; their other mailboxes notice nothing; and the name can be
// destroyed and made anew.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/mailbox.h"
#include "transport/mailbox/geometry.h"
#include "transport/mailbox/mailbox_layout.h"
#include "transport/mailbox/words.h"

namespace grpc_shm {
namespace testing {
namespace {

constexpr char kName[] = "attacked";
constexpr char kAddress[] = "mailbox:attacked";
constexpr char kOtherAddress[] = "mailbox:other";
constexpr size_t kMaxMessageBytes = 5000;
constexpr absl::Duration kLittle = absl::Microseconds(300);

MailboxOptions Options(MailboxCapacity capacity) {
  MailboxOptions options;
  options.capacity = capacity;
  options.max_message_bytes = kMaxMessageBytes;
  options.max_memory_bytes = 256 << 10;
  options.wait_policy = WaitPolicy::kNever;
  return options;
}

// The segment, as whoever may open the file has it.
class RawMailbox {
 public:
  explicit RawMailbox(const std::string& path, MailboxCapacity capacity) {
    const MailboxOptions options = Options(capacity);
    geometry_ = *MailboxGeometry::Of(capacity, options.max_message_bytes,
                                     options.max_memory_bytes);
    const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
    at_ = static_cast<std::byte*>(mmap(nullptr, geometry_.segment_bytes,
                                       PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                                       0));
    close(fd);
    if (at_ == MAP_FAILED) abort();
  }
  ~RawMailbox() { munmap(at_, geometry_.segment_bytes); }
  RawMailbox(const RawMailbox&) = delete;
  RawMailbox& operator=(const RawMailbox&) = delete;

  std::byte* at() const { return at_; }
  const MailboxGeometry& geometry() const { return geometry_; }
  MailboxControl& control() const {
    return *reinterpret_cast<MailboxControl*>(at_);
  }
  BlockEntry& entry(uint32_t block) const {
    return reinterpret_cast<BlockEntry*>(at_ + geometry_.entries)[block];
  }

  void EachEntry(const std::function<void(BlockEntry&)>& spoil) const {
    for (uint32_t i = 0; i < geometry_.blocks; ++i) spoil(entry(i));
  }
  void EachState(const std::function<BlockState(BlockState)>& spoil) const {
    EachEntry([&](BlockEntry& each) {
      each.state.store(spoil(BlockState::Unpack(each.state.load())).Pack());
    });
  }
  void EachCell(const std::function<Cell(Cell)>& spoil) const {
    for (const size_t cells : {geometry_.message_cells, geometry_.free_cells,
                               geometry_.bare_cells}) {
      if (cells == 0) continue;
      auto* const words = reinterpret_cast<std::atomic<uint64_t>*>(at_ + cells);
      for (size_t i = 0; i < geometry_.cells; ++i)
        words[i].store(spoil(Cell::Unpack(words[i].load())).Pack());
    }
  }
  void EachQueue(const std::function<void(QueueControl&)>& spoil) const {
    for (QueueControl* queue :
         {&control().messages, &control().free_blocks, &control().bare_blocks})
      spoil(*queue);
  }
  void EachParticipant(const std::function<uint64_t(uint64_t)>& spoil) const {
    for (auto& word : control().participants) word.store(spoil(word.load()));
  }
  void EachWaiter(const std::function<uint64_t(uint64_t)>& spoil) const {
    for (auto& word : control().waiters) word.store(spoil(word.load()));
  }

 private:
  MailboxGeometry geometry_;
  std::byte* at_;
};

struct Attack {
  const char* name;
  std::function<void(const RawMailbox&)> commit;
};

uint64_t Participant(pid_t pid, uint32_t start) {
  return ParticipantWord{static_cast<uint32_t>(pid), start, 1}.Pack();
}

std::vector<Attack> Attacks() {
  constexpr uint64_t kOnes = ~uint64_t{0};
  return {
      {"SizesOfOneTooMuch",
       [](const RawMailbox& raw) {
         raw.EachEntry(
             [](BlockEntry& each) { each.size = kMaxMessageBytes + 1; });
       }},
      {"SizesOfEverything",
       [](const RawMailbox& raw) {
         raw.EachEntry([](BlockEntry& each) { each.size = kOnes; });
       }},
      {"MemoryOfEverything",
       [](const RawMailbox& raw) {
         raw.EachEntry([](BlockEntry& each) { each.reserved_bytes = kOnes; });
       }},
      {"BlocksThatAreAllFree",
       [](const RawMailbox& raw) {
         raw.EachState([](BlockState) { return BlockState(); });
       }},
      {"BlocksThatAreAllMessages",
       [](const RawMailbox& raw) {
         uint64_t position = 0;
         raw.EachState([&position](BlockState) {
           return BlockState{BlockKind::kPosted, {}, position++};
         });
       }},
      {"BlocksThatHaveAllComeBack",
       [](const RawMailbox& raw) {
         raw.EachState([](BlockState state) {
           state.kind = BlockKind::kReturned;
           return state;
         });
         raw.control().state.returns.fetch_add(1);
       }},
      {"BlocksOfNoKind",
       [](const RawMailbox& raw) {
         raw.EachState([](BlockState state) {
           state.kind = static_cast<BlockKind>(7);
           return state;
         });
       }},
      {"BlocksOfNobody",
       [](const RawMailbox& raw) {
         raw.EachState([](BlockState state) {
           state.owner = {kMaxParticipants - 1, 12345};
           return state;
         });
       }},
      {"CellsOfNoBlock",
       [](const RawMailbox& raw) {
         raw.EachCell([](Cell cell) { return Cell{cell.lap, kMaxBlocks + 1}; });
       }},
      {"CellsOfOneBlock",
       [](const RawMailbox& raw) {
         raw.EachCell([](Cell cell) { return Cell{cell.lap, 1}; });
       }},
      {"CellsOfAnotherLap",
       [](const RawMailbox& raw) {
         raw.EachCell([](Cell cell) {
           return Cell{cell.lap + 7, cell.block_plus_1};
         });
       }},
      {"TailsAtTheEndOfNumbers",
       [](const RawMailbox& raw) {
         raw.EachQueue([](QueueControl& queue) { queue.tail.store(kOnes); });
       }},
      {"TailsBehindHeads",
       [](const RawMailbox& raw) {
         raw.EachQueue([](QueueControl& queue) {
           queue.tail.store(queue.head.load() - 1);
         });
       }},
      {"HeadsAtTheEndOfNumbers",
       [](const RawMailbox& raw) {
         raw.EachQueue([](QueueControl& queue) { queue.head.store(kOnes); });
       }},
      {"HeadsOfFarAhead",
       [](const RawMailbox& raw) {
         raw.EachQueue([](QueueControl& queue) {
           queue.head.store(queue.tail.load() + 1000000);
         });
       }},
      {"EventsOfOnes",
       [](const RawMailbox& raw) {
         for (EventControl* event :
              {&raw.control().message_event, &raw.control().room_event}) {
           event->armings.store(kOnes);
           event->quiet.store(kOnes);
           event->sequence.store(~uint32_t{0});
         }
       }},
      {"ParticipantsOfOnes",
       [](const RawMailbox& raw) {
         raw.EachParticipant([](uint64_t) { return kOnes; });
       }},
      {"ParticipantsThatAreDead",
       [](const RawMailbox& raw) {
         raw.EachParticipant([](uint64_t) { return Participant(1, 1); });
       }},
      {"ParticipantsThatNeverWere",
       [](const RawMailbox& raw) {
         raw.EachParticipant([](uint64_t) { return uint64_t{0}; });
       }},
      {"ParticipantsInDisguise",
       [](const RawMailbox& raw) {
         const uint64_t first = raw.control().participants[0].load();
         raw.EachParticipant([first](uint64_t) { return first; });
       }},
      {"WaitersOfOnes",
       [](const RawMailbox& raw) {
         raw.EachWaiter([](uint64_t) { return kOnes; });
       }},
      {"WaitersThatWereGivenNoBlock",
       [](const RawMailbox& raw) {
         raw.EachWaiter([](uint64_t) {
           return SlotWord{SlotWord::kGiven, {}, 1, kMaxBlocks}.Pack();
         });
       }},
      {"WaitersThatAreNotThere",
       [](const RawMailbox& raw) {
         raw.EachWaiter([](uint64_t) {
           return SlotWord{SlotWord::kWaiting, {}, 1, 0}.Pack();
         });
       }},
      {"Destroyed",
       [](const RawMailbox& raw) { raw.control().state.destroyed.store(7); }},
      {"CountersOfOnes",
       [](const RawMailbox& raw) {
         MailboxState& state = raw.control().state;
         for (auto* counter : {&state.returns, &state.redelivered, &state.turns,
                               &state.handed_over})
           counter->store(kOnes);
       }},
      {"HeaderOfOnes",
       [](const RawMailbox& raw) {
         std::memset(raw.at(), 0xff, sizeof(MailboxHeader));
       }},
      {"NothingButOnes",
       [](const RawMailbox& raw) {
         std::memset(raw.at(), 0xff, raw.geometry().data);
       }},
      {"NothingButZeroes",
       [](const RawMailbox& raw) {
         std::memset(raw.at(), 0, raw.geometry().data);
       }},
  };
}

struct Capacity {
  const char* name;
  MailboxCapacity capacity;
};

std::vector<Capacity> Capacities() {
  return {{"Rendezvous", MailboxCapacity::Rendezvous()},
          {"Bounded", MailboxCapacity::Bounded(4)},
          {"Unbounded", MailboxCapacity::Unbounded()}};
}

// Two honest objects on the mailbox, with some messages in it.
class Victims {
 public:
  explicit Victims(MailboxCapacity capacity) : capacity_(capacity) {
    sender_ = *Mailbox::Create(kAddress, Options(capacity));
    OpenMailboxOptions never;
    never.wait_policy = WaitPolicy::kNever;
    receiver_ = *Mailbox::Open(kAddress, never);
    other_ = *Mailbox::Create(kOtherAddress, Options(capacity));
    if (capacity.kind == MailboxCapacity::Kind::kRendezvous) return;
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(sender_->TrySend("before").ok());
    held_ = receiver_->TryReceive();
    EXPECT_TRUE(held_.ok()) << held_.status();
    // Something that was used and is free again.
    receiver_->TryReceive()->Acknowledge();
  }

  // What may be told to whom that has happened.
  static void ExpectClean(const absl::Status& status) {
    EXPECT_TRUE(status.ok() || absl::IsDataLoss(status) ||
                absl::IsUnavailable(status) || absl::IsNotFound(status) ||
                absl::IsDeadlineExceeded(status) ||
                absl::IsResourceExhausted(status))
        << status;
    EXPECT_EQ(status.message().empty(), status.ok());
  }

  // Everything that a member can do, with each end meeting the other.
  void UseMailbox() {
    std::thread sending([this] {
      for (int i = 0; i < kRounds; ++i) {
        ExpectClean(sender_->TrySend("tried"));
        ExpectClean(sender_->Send(std::string(kMaxMessageBytes, 's'),
                                  absl::Now() + kLittle));
        absl::StatusOr<Mailbox::Loan> loan =
            sender_->LoanFor(1 + i, absl::Now() + kLittle);
        ExpectClean(loan.status());
        if (!loan.ok()) continue;
        std::fill_n(loan->data(), loan->size(), 'l');
        if (i % 2 == 0)
          ExpectClean(sender_->Send(*std::move(loan), absl::Now() + kLittle));
      }
    });
    for (int i = 0; i < kRounds; ++i) {
      Look(receiver_->TryReceive(), i % 3 == 0);
      Look(receiver_->Receive(absl::Now() + kLittle), i % 3 == 1);
      receiver_->Describe();
    }
    sending.join();
    Mailbox::List().IgnoreError();
    const absl::Status opened = Mailbox::Open(kAddress).status();
    if (!absl::IsFailedPrecondition(opened)) ExpectClean(opened);
  }

  void ExpectOtherMailboxUnharmed() {
    std::thread receiving([this] {
      absl::StatusOr<Mailbox::Message> message = other_->Receive();
      ASSERT_TRUE(message.ok()) << message.status();
      EXPECT_EQ(message->view(), "as ever");
      message->Acknowledge();
    });
    EXPECT_TRUE(other_->Send("as ever").ok());
    receiving.join();
  }

  // Destroys it, and everything that is out of it goes back into the ruin.
  void StartAnew() {
    const absl::Status destroyed = Mailbox::Destroy(kAddress);
    EXPECT_TRUE(destroyed.ok()) << destroyed;
    held_ = absl::CancelledError();
    sender_.reset();
    receiver_.reset();
    absl::StatusOr<std::unique_ptr<Mailbox>> anew =
        Mailbox::Create(kAddress, Options(capacity_));
    ASSERT_TRUE(anew.ok()) << anew.status();
    std::thread receiving([&anew] {
      absl::StatusOr<Mailbox::Message> message = (*anew)->Receive();
      ASSERT_TRUE(message.ok()) << message.status();
      EXPECT_EQ(message->view(), "as new");
    });
    EXPECT_TRUE((*anew)->Send("as new").ok());
    receiving.join();
  }

  Mailbox& receiver() { return *receiver_; }

 private:
  static constexpr int kRounds = 12;

  static void Look(absl::StatusOr<Mailbox::Message> message, bool acknowledge) {
    ExpectClean(message.status());
    if (!message.ok()) return;
    ASSERT_LE(message->size(), kMaxMessageBytes);
    const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
    // It reads all of it, whatever that is.
    (void)std::count_if(message->view().begin(), message->view().end(),
                        is_letter);
    if (acknowledge) message->Acknowledge();
  }

  const MailboxCapacity capacity_;
  std::unique_ptr<Mailbox> sender_;
  std::unique_ptr<Mailbox> receiver_;
  std::unique_ptr<Mailbox> other_;
  absl::StatusOr<Mailbox::Message> held_ = absl::CancelledError();
};

class HostileMember
    : public ::testing::TestWithParam<std::tuple<Capacity, Attack>> {
 protected:
  const TemporaryMailboxes mailboxes_;
};

TEST_P(HostileMember, BreaksItsMailboxAndNothingElse) {
  const MailboxCapacity capacity = std::get<0>(GetParam()).capacity;
  Victims victims(capacity);
  std::get<1>(GetParam()).commit(RawMailbox(mailboxes_.Path(kName), capacity));
  victims.UseMailbox();
  victims.ExpectOtherMailboxUnharmed();
  victims.StartAnew();
}

INSTANTIATE_TEST_SUITE_P(Each, HostileMember,
                         ::testing::Combine(::testing::ValuesIn(Capacities()),
                                            ::testing::ValuesIn(Attacks())),
                         [](const auto& info) {
                           return absl::StrCat(std::get<1>(info.param).name,
                                               "_",
                                               std::get<0>(info.param).name);
                         });

class MemberThatWritesOn : public ::testing::TestWithParam<Capacity> {
 protected:
  const TemporaryMailboxes mailboxes_;
};

// Words that change while others read them, between a check and its use.
TEST_P(MemberThatWritesOn, BreaksItsMailboxAndNothingElse) {
  const MailboxCapacity capacity = GetParam().capacity;
  Victims victims(capacity);
  {
    const RawMailbox raw(mailboxes_.Path(kName), capacity);
    std::atomic<bool> stop{false};
    std::thread writer([&] {
      std::minstd_rand random(2026);
      while (!stop.load()) {
        std::byte* const at =
            raw.at() + random() % (raw.geometry().data / 8) * 8;
        const uint64_t values[] = {random(), 0, ~uint64_t{0}, 1};
        __atomic_store_n(reinterpret_cast<uint64_t*>(at), values[random() % 4],
                         __ATOMIC_RELAXED);
      }
    });
    for (int i = 0; i < 5; ++i) victims.UseMailbox();
    victims.ExpectOtherMailboxUnharmed();
    stop.store(true);
    writer.join();
  }
  victims.StartAnew();
}

INSTANTIATE_TEST_SUITE_P(Each, MemberThatWritesOn,
                         ::testing::ValuesIn(Capacities()),
                         [](const auto& info) { return info.param.name; });

class DamageTest : public ::testing::Test {
 protected:
  const TemporaryMailboxes mailboxes_;
};

TEST_F(DamageTest, IsDataLossForWhoGetsAMessageOfAnImpossibleSize) {
  Victims victims(MailboxCapacity::Bounded(4));
  RawMailbox(mailboxes_.Path(kName), MailboxCapacity::Bounded(4))
      .EachEntry([](BlockEntry& each) { each.size = kMaxMessageBytes + 1; });
  EXPECT_TRUE(absl::IsDataLoss(victims.receiver().TryReceive().status()));
}

TEST_F(DamageTest, IsDataLossForWhoFindsABlockThatCannotBe) {
  Victims victims(MailboxCapacity::Bounded(4));
  RawMailbox(mailboxes_.Path(kName), MailboxCapacity::Bounded(4))
      .EachCell([](Cell cell) {
        return Cell{cell.lap, kMaxBlocks + 1};
      });
  EXPECT_TRUE(absl::IsDataLoss(victims.receiver().TryReceive().status()));
  EXPECT_TRUE(absl::IsDataLoss(victims.receiver().TrySend("no")));
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
