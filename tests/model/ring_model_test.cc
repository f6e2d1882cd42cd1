// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Runs the ring's cursors, the very templates that production uses, under the
// Relacy model checker: over every interleaving up to a bound on the number of
// preemptions (and over random ones without a bound), with every stale value
// that the C++ memory model lets a load return. A payload is a variable that
// reports unordered access, a doorbell is an event, and a lost wake-up is a
// deadlock.
//
// The same tests then run with one part of the protocol removed, and must fail:
// that proves that the checker could have found it.

#include <cstddef>
#include <cstdint>
#include <utility>

#include "transport/ring/ring_cursor.h"

// Last: see there.
#include "tests/model/model_check.h"
#include "tests/model/model_futex.h"
#include "tests/model/relacy_atomics.h"

namespace grpc_shm {
namespace {

constexpr size_t kSlotBytes = kRecordAlignment;

// A ring of `slots` records of one slot each.
template <Weakness weakness, size_t slots>
struct ModelRing {
  using Atomics = RelacyAtomics<weakness>;

  BasicRingControl<Atomics> control;
  BasicProducerCursor<Atomics> producer{&control, slots* kSlotBytes};
  BasicConsumerCursor<Atomics> consumer{&control, slots* kSlotBytes};
  rl::var<int> payload[slots];

  void Write(int value) {
    payload[producer.offset() / kSlotBytes](RL_INFO) = value;
    producer.Advance(kSlotBytes);
  }

  // Fails the test if the slot was never written, or is being written.
  int Read() {
    const int value = payload[consumer.offset() / kSlotBytes](RL_INFO);
    consumer.Advance(kSlotBytes);
    return value;
  }
};

void Yield() { rl::yield(1, RL_INFO); }

// One producer, one consumer, neither ever sleeps. The consumer releases one
// slot at a time or in batches, as the checker chooses.
template <Weakness weakness>
struct PollingTest
    : rl::test_suite<PollingTest<weakness>, 2,
                     weakness == Weakness::kNone ? rl::test_result_success
                                                 : rl::test_result_data_race> {
  static constexpr int kRecords = 4;
  ModelRing<weakness, 2> ring;

  void thread(unsigned index) {
    if (index == 0) {
      for (int i = 1; i <= kRecords; ++i) {
        while (!ring.producer.HasSpace(kSlotBytes)) {
          ring.producer.Publish();
          Yield();
        }
        ring.Write(i);
        if (rl::rand(2) == 0) ring.producer.Publish();
      }
      ring.producer.Publish();
      RL_ASSERT(!ring.producer.broken());
    } else {
      for (int i = 1; i <= kRecords;) {
        if (ring.consumer.Readable() == 0) {
          ring.consumer.Release();
          Yield();
          continue;
        }
        RL_ASSERT(ring.Read() == i);
        ++i;
        if (rl::rand(2) == 0) ring.consumer.Release();
      }
      RL_ASSERT(!ring.consumer.broken());
    }
  }
};

// Two producing threads of one process, serialised by its mutex: no slot is
// written twice, and each one's records stay in order.
template <bool serialised>
struct TwoProducersTest
    : rl::test_suite<TwoProducersTest<serialised>, 3,
                     serialised ? rl::test_result_success
                                : rl::test_result_data_race> {
  static constexpr int kRecordsEach = 2;
  ModelRing<Weakness::kNone, 2> ring;
  rl::mutex mutex;

  void thread(unsigned index) {
    if (index < 2) {
      for (int i = 1; i <= kRecordsEach;) {
        if (serialised) mutex.lock(RL_INFO);
        const bool space = ring.producer.HasSpace(kSlotBytes);
        if (space) {
          ring.Write(static_cast<int>(index) * 100 + i);
          ring.producer.Publish();
          ++i;
        }
        if (serialised) mutex.unlock(RL_INFO);
        if (!space) Yield();
      }
    } else {
      int last[2] = {0, 0};
      for (int i = 0; i < 2 * kRecordsEach; ++i) {
        while (ring.consumer.Readable() == 0) Yield();
        const int value = ring.Read();
        ring.consumer.Release();
        RL_ASSERT(value % 100 == last[value / 100] + 1);
        last[value / 100] += 1;
      }
      RL_ASSERT(!ring.consumer.broken());
    }
    RL_ASSERT(!ring.producer.broken());
  }
};

// An eventfd that is watched edge-triggered: rings that come while nobody
// waits are remembered as one.
class ModelDoorbell {
 public:
  void Init() {
    event_.init(/*manual_reset=*/false, /*initial=*/false, RL_INFO);
  }
  void Destroy() { event_.deinit(RL_INFO); }
  void Ring() { event_.set(RL_INFO); }
  void Wait() { event_.wait(/*try_wait=*/false, /*is_timed=*/false, RL_INFO); }

 private:
  rl::generic_event event_;
};

// Both sides sleep when they cannot go on: the producer when the ring is full,
// the consumer when it is empty. A lost wake-up leaves both asleep.
template <Weakness weakness, size_t slots, bool batches>
struct SleepingTest
    : rl::test_suite<SleepingTest<weakness, slots, batches>, 2,
                     weakness == Weakness::kNone ? rl::test_result_success
                                                 : rl::test_result_deadlock> {
  static constexpr int kRecords = static_cast<int>(slots) + 2;
  ModelRing<weakness, slots> ring;
  ModelDoorbell consumer_doorbell;
  ModelDoorbell producer_doorbell;

  void before() {
    consumer_doorbell.Init();
    producer_doorbell.Init();
  }
  void after() {
    consumer_doorbell.Destroy();
    producer_doorbell.Destroy();
  }

  void thread(unsigned index) {
    if (index == 0) {
      Produce();
    } else {
      Consume();
    }
  }

  void Publish() {
    if (ring.producer.Publish()) consumer_doorbell.Ring();
  }

  void Produce() {
    for (int i = 1; i <= kRecords; ++i) {
      while (!ring.producer.HasSpace(kSlotBytes)) {
        Publish();
        if (ring.producer.ArmForSpace(kSlotBytes)) producer_doorbell.Wait();
      }
      ring.Write(i);
      if (!batches || rl::rand(2) == 0) Publish();
    }
    Publish();
    RL_ASSERT(!ring.producer.broken());
  }

  void Release() {
    ring.consumer.Release();
    if (ring.consumer.TakeProducerWakeup()) producer_doorbell.Ring();
  }

  void Consume() {
    for (int i = 1; i <= kRecords;) {
      if (ring.consumer.Readable() == 0) {
        Release();
        if (ring.consumer.Arm()) {
          consumer_doorbell.Wait();
          if (batches && rl::rand(2) == 0) ring.consumer.Disarm();
        }
        continue;
      }
      RL_ASSERT(ring.Read() == i);
      ++i;
      if (!batches || rl::rand(2) == 0) Release();
    }
    Release();
    RL_ASSERT(!ring.consumer.broken());
  }
};

// The producer rings later, once for several records, and not for a consumer
// that has read them by itself. That one may have gone to sleep again, even
// before the producer saw it asleep: so the flag must stay as it is
// until the doorbell is rung (`takes_early`: it does not).
template <bool takes_early>
struct DeferringTest : rl::test_suite<DeferringTest<takes_early>, 2,
                                      takes_early ? rl::test_result_deadlock
                                                  : rl::test_result_success> {
  static constexpr int kRecords = 3;
  ModelRing<Weakness::kNone, 4> ring;
  ModelDoorbell consumer_doorbell;

  void before() { consumer_doorbell.Init(); }
  void after() { consumer_doorbell.Destroy(); }

  void thread(unsigned index) {
    if (index == 0) {
      Produce();
    } else {
      Consume();
    }
  }

  void Produce() {
    bool owes = false;
    for (int i = 1; i <= kRecords; ++i) {
      ring.Write(i);
      owes |= takes_early ? ring.producer.Publish() != armed_flag::kAwake
                          : ring.producer.PublishQuietly();
      if (!owes || (i < kRecords && rl::rand(2) == 0)) continue;
      owes = false;
      if (ring.producer.IsConsumed()) continue;
      if (takes_early || ring.producer.TakeConsumerWakeup())
        consumer_doorbell.Ring();
    }
  }

  void Consume() {
    bool polls = true;  // once by itself
    for (int i = 1; i <= kRecords;) {
      if (ring.consumer.Readable() == 0) {
        ring.consumer.Release();
        ring.consumer.TakeProducerWakeup();
        if (ring.consumer.Arm()) {
          if (std::exchange(polls, false) && rl::rand(2) == 0) {
            ring.consumer.Disarm();
            Yield();
          } else {
            consumer_doorbell.Wait();
          }
        }
        continue;
      }
      RL_ASSERT(ring.Read() == i);
      ++i;
      ring.consumer.Release();
    }
  }
};

// The consumer sleeps at its flag or at its doorbell, as it likes, and is woken
// where it sleeps. (`rings_always`: the producer looks at neither, and rings.)
template <Weakness weakness, bool rings_always = false>
struct SleepingAtFlagTest
    : rl::test_suite<SleepingAtFlagTest<weakness, rings_always>, 2,
                     weakness == Weakness::kNone && !rings_always
                         ? rl::test_result_success
                         : rl::test_result_deadlock> {
  static constexpr int kRecords = 3;
  ModelRing<weakness, 4> ring;
  ModelDoorbell doorbell;
  ModelFutex futex;

  void before() {
    doorbell.Init();
    futex.Reset();
  }
  void after() { doorbell.Destroy(); }

  void thread(unsigned index) {
    if (index == 0) {
      Produce();
    } else {
      Consume();
    }
  }

  void Produce() {
    for (int i = 1; i <= kRecords; ++i) {
      ring.Write(i);
      const armed_flag::Sleep sleep = ring.producer.Publish();
      if (sleep == armed_flag::kAtFlag && !rings_always) {
        futex.Wake(1);
      } else if (sleep != armed_flag::kAwake) {
        doorbell.Ring();
      }
    }
  }

  void Consume() {
    for (int i = 1; i <= kRecords;) {
      if (ring.consumer.Readable() == 0) {
        ring.consumer.Release();
        ring.consumer.TakeProducerWakeup();
        const armed_flag::Sleep where =
            rl::rand(2) == 0 ? armed_flag::kAtFlag : armed_flag::kAtDoorbell;
        if (!ring.consumer.Arm(where)) continue;
        if (where == armed_flag::kAtFlag) {
          futex.Wait(ring.control.consumer_armed, armed_flag::kAtFlag);
        } else {
          doorbell.Wait();
        }
        continue;
      }
      RL_ASSERT(ring.Read() == i);
      ++i;
      ring.consumer.Release();
    }
  }
};

bool CheckProtocol() {
  constexpr Weakness kNone = Weakness::kNone;
  const char* claim =
      "the consumer reads every record once, in order, and no empty slot";
  bool ok = Check<PollingTest<kNone>>(claim, Exhaustive(2));
  ok &= Check<PollingTest<kNone>>(claim, Random(300000));

  claim = "two producers behind a mutex never write one slot";
  ok &= Check<TwoProducersTest<true>>(claim, Exhaustive(2));
  ok &= Check<TwoProducersTest<true>>(claim, Random(300000));

  claim = "full and empty sides sleep and are woken, record by record";
  ok &= Check<SleepingTest<kNone, 1, false>>(claim, Exhaustive(4));
  ok &= Check<SleepingTest<kNone, 2, false>>(claim, Exhaustive(3));
  ok &= Check<SleepingTest<kNone, 1, false>>(claim, Random(300000));

  claim = "full and empty sides sleep and are woken, in batches";
  ok &= Check<SleepingTest<kNone, 1, true>>(claim, Exhaustive(2));
  ok &= Check<SleepingTest<kNone, 2, true>>(claim, Exhaustive(1));
  ok &= Check<SleepingTest<kNone, 2, true>>(claim, Random(300000));

  claim = "a consumer is woken where it sleeps, at its flag or its doorbell";
  ok &= Check<SleepingAtFlagTest<kNone>>(claim, Exhaustive(3));
  ok &= Check<SleepingAtFlagTest<kNone>>(claim, Random(300000));

  claim = "a sleeper is woken though the doorbell rings later than it could";
  ok &= Check<DeferringTest<false>>(claim, Exhaustive(3));
  ok &= Check<DeferringTest<false>>(claim, Random(300000));
  return ok;
}

bool CheckThatTheCheckerFindsFaults() {
  bool ok = Check<PollingTest<Weakness::kRelaxedStores>>(
      "found: data race where indices are stored without release",
      Exhaustive(2));
  ok &= Check<PollingTest<Weakness::kRelaxedLoads>>(
      "found: data race where indices are loaded without acquire",
      Exhaustive(2));
  ok &= Check<TwoProducersTest<false>>(
      "found: data race of two producers without a mutex", Exhaustive(2));
  ok &= Check<SleepingTest<Weakness::kThread0WithoutFences, 1, false>>(
      "found: lost wake-up where the producer has no fence", Exhaustive(2));
  ok &= Check<SleepingTest<Weakness::kThread1WithoutFences, 1, false>>(
      "found: lost wake-up where the consumer has no fence", Exhaustive(2));
  ok &= Check<SleepingTest<Weakness::kForgetfulExchange, 1, false>>(
      "found: lost wake-up where the waker takes the flag and does not ring",
      Exhaustive(2));
  ok &= Check<SleepingAtFlagTest<Weakness::kThread1WithoutFences>>(
      "found: lost wake-up where a consumer that sleeps at its flag has no "
      "fence",
      Exhaustive(2));
  ok &= Check<SleepingAtFlagTest<Weakness::kNone, true>>(
      "found: lost wake-up where the doorbell rings for a consumer that sleeps "
      "at its flag",
      Exhaustive(2));
  ok &= Check<DeferringTest<true>>(
      "found: lost wake-up where the flag is taken before it is known whether "
      "to ring",
      Exhaustive(3));
  return ok;
}

}  // namespace
}  // namespace grpc_shm

int main() {
  const bool protocol = grpc_shm::CheckProtocol();
  const bool checker = grpc_shm::CheckThatTheCheckerFindsFaults();
  return protocol && checker ? 0 : 1;
}
