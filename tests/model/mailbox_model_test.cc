// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Runs a mailbox's queues and eventcounts, the very templates that production
// uses, under the Relacy model checker, as several producers and consumers use
// them: a block is claimed from the queue of free blocks, written, put into the
// queue of messages, taken, read, and put back. A block's contents are a
// variable that reports unordered access, so that each of the four classic
// faults of a shared buffer is found:
//
//   a producer that doesn't wait when it is full     writes what is being read
//   a consumer that takes an empty slot              reads what is not written
//   two producers in one slot                        write at once
//   two consumers that take one slot                 receive one message twice
//
// The same tests then run with one part of the protocol removed, and must fail:
// that proves that the checker could have found it.

#include <cstddef>
#include <cstdint>

#include "transport/mailbox/eventcount.h"
#include "transport/mailbox/order_queue.h"

// Last: see there.
#include "tests/model/model_check.h"
#include "tests/model/model_futex.h"
#include "tests/model/relacy_atomics.h"

namespace grpc_shm {
namespace {

// What a test leaves out.
enum class Fault {
  kNone,
  // A producer writes without a free block.
  kNoRoomAsked,
  // Who finds nothing goes to sleep without looking again.
  kNoSecondLook,
};

constexpr int kEmptied = -1;

constexpr auto kSeqCst = RelacyAtomics<Weakness::kNone>::kSeqCst;

void Yield() { rl::yield(1, RL_INFO); }

// A bounded mailbox of `blocks` messages.
template <Weakness weakness, uint32_t blocks>
struct ModelMailbox {
  using Atomics = RelacyAtomics<weakness>;
  using Queue = BasicOrderQueue<Atomics>;
  static constexpr size_t kCells = blocks < 2 ? 2 : 4;

  BasicQueueControl<Atomics> message_control;
  BasicQueueControl<Atomics> free_control;
  typename Atomics::template Atomic<uint64_t> message_cells[kCells];
  typename Atomics::template Atomic<uint64_t> free_cells[kCells];
  BasicBlockEntry<Atomics> entries[blocks];
  rl::var<int> contents[blocks];
  Queue messages{&message_control, message_cells, kCells,
                 entries,          blocks,        BlockKind::kPosted};
  Queue free_blocks{&free_control, free_cells, kCells,
                    entries,       blocks,     BlockKind::kFree};

  void Fill() {
    for (uint32_t block = 0; block < blocks; ++block) {
      RL_ASSERT(free_blocks.Put(block, {}) == Queue::Result::kDone);
    }
  }

  bool Claim(ParticipantToken me, uint32_t* block) {
    const auto result = free_blocks.Take(BlockKind::kClaimed, me, block);
    RL_ASSERT(result != Queue::Result::kDamaged);
    return result == Queue::Result::kDone;
  }
  void Post(ParticipantToken me, uint32_t block, int value) {
    contents[block](RL_INFO) = value;
    RL_ASSERT(messages.Put(block, me) == Queue::Result::kDone);
  }
  bool Take(ParticipantToken me, uint32_t* block) {
    const auto result = messages.Take(BlockKind::kTaken, me, block);
    RL_ASSERT(result != Queue::Result::kDamaged);
    return result == Queue::Result::kDone;
  }
  int Acknowledge(ParticipantToken me, uint32_t block) {
    const int value = contents[block](RL_INFO);
    contents[block](RL_INFO) = kEmptied;
    RL_ASSERT(free_blocks.Put(block, me) == Queue::Result::kDone);
    return value;
  }
};

// What the consumers of one run have received.
template <int producers, int each>
class Ledger {
 public:
  void Reset() {
    for (auto& sender : seen_) {
      for (bool& seen : sender) seen = false;
    }
  }
  static int Value(int producer, int number) { return producer * 100 + number; }
  // Each message once, and each producer's in order as far as one consumer
  // (`last`, for each producer) sees it.
  void Enter(int value, int* last) {
    RL_ASSERT(value != kEmptied);
    const int producer = value / 100;
    const int number = value % 100;
    RL_ASSERT(!seen_[producer][number]);
    seen_[producer][number] = true;
    RL_ASSERT(number >= last[producer]);
    last[producer] = number + 1;
  }

 private:
  bool seen_[producers][each];
};

constexpr rl::test_result_e Expected(bool sound, rl::test_result_e otherwise) {
  return sound ? rl::test_result_success : otherwise;
}

// Nobody sleeps.
template <int producers, int consumers, uint32_t blocks, int each,
          Weakness weakness = Weakness::kNone, Fault fault = Fault::kNone,
          rl::test_result_e otherwise = rl::test_result_data_race>
struct PollingTest
    : rl::test_suite<PollingTest<producers, consumers, blocks, each, weakness,
                                 fault, otherwise>,
                     producers + consumers,
                     Expected(
                         weakness == Weakness::kNone && fault == Fault::kNone,
                         otherwise)> {
  static_assert(producers * each % consumers == 0);
  ModelMailbox<weakness, blocks> mailbox;
  Ledger<producers, each> ledger;

  void before() {
    mailbox.Fill();
    ledger.Reset();
  }

  void thread(unsigned index) {
    const ParticipantToken me{index + 1, 0};
    uint32_t block = 0;
    if (index < producers) {
      for (int i = 0; i < each; ++i) {
        if (fault == Fault::kNoRoomAsked) {
          block = static_cast<uint32_t>(i) % blocks;
        } else {
          while (!mailbox.Claim(me, &block)) Yield();
        }
        mailbox.Post(me, block, ledger.Value(static_cast<int>(index), i));
      }
      return;
    }
    int last[producers] = {};
    for (int i = 0; i < producers * each / consumers; ++i) {
      while (!mailbox.Take(me, &block)) Yield();
      ledger.Enter(mailbox.Acknowledge(me, block), last);
    }
  }
};

// The policy of BasicEventcount: finds the futex of a word by the word's place.
template <class Atomics>
struct ModelFutexes {
  using Word = typename Atomics::template Atomic<uint32_t>;
  static inline Word* words[2];
  static inline ModelFutex* futexes[2];

  static ModelFutex& Of(Word& word) { return *futexes[&word == words[1]]; }
  static bool Wait(Word& word, uint32_t value, int) {
    return Of(word).Wait(word, value);
  }
  static int Wake(Word& word, int most) { return Of(word).Wake(most); }
};

// Who finds nothing sleeps, as MailboxCore::Await has it; a wake-up that is
// lost leaves somebody asleep for ever.
template <int producers, int consumers, uint32_t blocks, int each,
          Weakness weakness = Weakness::kNone, Fault fault = Fault::kNone,
          rl::test_result_e otherwise = rl::test_result_deadlock>
struct SleepingTest
    : rl::test_suite<SleepingTest<producers, consumers, blocks, each, weakness,
                                  fault, otherwise>,
                     producers + consumers,
                     Expected(
                         weakness == Weakness::kNone && fault == Fault::kNone,
                         otherwise)> {
  static_assert(producers * each % consumers == 0);
  using Atomics = RelacyAtomics<weakness>;
  using Futexes = ModelFutexes<Atomics>;
  using Event = BasicEventcount<Atomics, Futexes>;
  ModelMailbox<weakness, blocks> mailbox;
  Ledger<producers, each> ledger;
  BasicEventControl<Atomics> message_control;
  BasicEventControl<Atomics> room_control;
  Event message_event{&message_control};
  Event room_event{&room_control};
  ModelFutex message_futex;
  ModelFutex room_futex;

  void before() {
    Futexes::words[0] = &message_control.sequence;
    Futexes::words[1] = &room_control.sequence;
    Futexes::futexes[0] = &message_futex;
    Futexes::futexes[1] = &room_futex;
    message_futex.Reset();
    room_futex.Reset();
    mailbox.Fill();
    ledger.Reset();
  }

  template <class Attempt>
  void Await(Event& event, Attempt attempt) {
    while (!attempt()) {
      const uint32_t key = event.Arm();
      if (fault != Fault::kNoSecondLook && attempt()) return;
      (event.Sleep)(key, 0);  // Relacy has a macro of that name
    }
  }

  void thread(unsigned index) {
    const ParticipantToken me{index + 1, 0};
    uint32_t block = 0;
    if (index < producers) {
      for (int i = 0; i < each; ++i) {
        Await(room_event, [&] { return mailbox.Claim(me, &block); });
        mailbox.Post(me, block, ledger.Value(static_cast<int>(index), i));
        message_event.NotifyOne();
      }
      return;
    }
    int last[producers] = {};
    for (int i = 0; i < producers * each / consumers; ++i) {
      Await(message_event, [&] { return mailbox.Take(me, &block); });
      ledger.Enter(mailbox.Acknowledge(me, block), last);
      room_event.NotifyOne();
    }
  }
};

bool CheckProtocol() {
  const char* claim = "a producer waits when full, a consumer when empty";
  bool ok = Check<PollingTest<1, 1, 1, 2>>(claim, Exhaustive(3));
  ok &= Check<PollingTest<1, 1, 2, 4>>(claim, Random(30000));

  claim = "two producers are never in one slot";
  ok &= Check<PollingTest<2, 1, 2, 1>>(claim, Exhaustive(2));
  ok &= Check<PollingTest<2, 1, 2, 2>>(claim, Random(30000));

  claim = "two consumers never take one slot";
  ok &= Check<PollingTest<1, 2, 2, 2>>(claim, Exhaustive(2));
  ok &= Check<PollingTest<1, 2, 2, 4>>(claim, Random(30000));

  claim = "two and two: each message once, each producer's in order";
  ok &= Check<PollingTest<2, 2, 1, 2>>(claim, Random(30000));
  ok &= Check<PollingTest<2, 2, 3, 2>>(claim, Random(30000));

  claim = "who sleeps is woken";
  ok &= Check<SleepingTest<1, 1, 1, 2>>(claim, Exhaustive(4));
  ok &= Check<SleepingTest<1, 1, 1, 3>>(claim, Random(30000));
  ok &= Check<SleepingTest<1, 2, 2, 2>>(claim, Random(30000));
  ok &= Check<SleepingTest<2, 2, 1, 2>>(claim, Random(30000));
  return ok;
}

bool CheckThatTheCheckerFindsFaults() {
  bool ok =
      Check<PollingTest<1, 1, 1, 2, Weakness::kNone, Fault::kNoRoomAsked>>(
          "found: a producer that does not wait when it is full",
          Random(10000));
  ok &= Check<PollingTest<1, 1, 1, 1, Weakness::kRelaxedStores>>(
      "found: a consumer that reads a slot before it is written",
      Random(10000));
  ok &= Check<PollingTest<2, 1, 2, 1, Weakness::kBlindAcqRelSwap>>(
      "found: two producers in one slot, where a claim is not checked",
      Random(10000));
  ok &= Check<PollingTest<2, 1, 2, 1, Weakness::kBlindSeqCstSwap, Fault::kNone,
                          rl::test_result_livelock>>(
      "found: two producers in one slot, where putting is not checked: one's "
      "message is waited for for ever",
      Random(10000));
  ok &= Check<PollingTest<1, 2, 2, 2, Weakness::kBlindAcqRelSwap>>(
      "found: two consumers take one slot, where taking is not checked",
      Random(10000));
  ok &= Check<SleepingTest<1, 1, 1, 2, Weakness::kNone, Fault::kNoSecondLook>>(
      "found: a lost wake-up where nobody looks before sleeping",
      Random(10000));
  return ok;
}

}  // namespace
}  // namespace grpc_shm

int main() {
  const bool protocol = grpc_shm::CheckProtocol();
  const bool checker = grpc_shm::CheckThatTheCheckerFindsFaults();
  return protocol && checker ? 0 : 1;
}
