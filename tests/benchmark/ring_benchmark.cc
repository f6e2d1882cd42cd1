// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// The ring alone, between two processes, beside boost::lockfree::spsc_queue in
// the same binary: how many 64-byte records a second go one way, and how long
// one takes there and back.
//
//   bazel run -c opt //tests/benchmark:ring_benchmark
//
// Every queue has 256 KiB of shared memory and is polled by both sides (nobody
// sleeps); each record is copied in and out; every byte is made by one process
// and verified by the other. "batch:16" publishes 16 records at once (the ring:
// one Publish for several Commits, as the transport does; Boost: push and pop
// of arrays), "batch:1" each for itself.
//
// The ring does two things that Boost's queue does not: its records carry a
// header of 16 bytes besides, and its Publish finds out whether the consumer
// has to be woken, which takes a full fence. boost_with_doorbell is Boost's
// queue with that second thing added, as it would need it where readers sleep.
//
// Repetitions are interleaved at random, so that what else the machine does
// meets all alike; still, compare only figures of one run.

#include <benchmark/benchmark.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/benchmark/rpc/host_time.h"
#include "transport/base/cache_line.h"
#include "transport/base/unique_fd.h"
#include "transport/memory/mapping.h"
#include "transport/memory/sealed_memfd.h"
#include "transport/ring/armed_flag.h"
#include "transport/ring/atomics.h"
#include "transport/ring/ring_consumer.h"
#include "transport/ring/ring_layout.h"
#include "transport/ring/ring_producer.h"

namespace grpc_shm {
namespace {

// Records per timed iteration, one way and there and back.
constexpr uint64_t kStreamRecords = 2'000'000;
constexpr uint64_t kRoundTrips = 200'000;
// Records that are published at once in the batched runs.
constexpr size_t kBatch = 16;

// What goes through: verifies itself.
struct Record {
  uint64_t words[8];

  static Record Make(uint64_t number) {
    Record record;
    for (uint64_t i = 0; i < 8; ++i) {
      record.words[i] = number * 0x9e3779b97f4a7c15 + i;
    }
    return record;
  }
  bool Is(uint64_t number) const {
    const Record expected = Make(number);
    uint64_t difference = 0;
    for (int i = 0; i < 8; ++i) difference |= words[i] ^ expected.words[i];
    return difference == 0;
  }
};
static_assert(sizeof(Record) == 64);

[[noreturn]] void Die(const char* why) {
  std::fprintf(stderr, "ring_benchmark: %s\n", why);
  std::_Exit(1);
}

// How both queues wait for one another: spin, and let others run now and then
// should the machine have fewer cores to give than it seems.
class Backoff {
 public:
  void Wait() {
    if (++spins_ % 4096 == 0) {
      sched_yield();
    } else {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  }

 private:
  unsigned spins_ = 0;
};

Mapping SharedMemory(size_t bytes, bool mirrored) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  bytes = (bytes + page - 1) / page * page;
  absl::StatusOr<UniqueFd> fd = CreateSealedMemfd("ring_benchmark", bytes);
  if (!fd.ok()) Die(fd.status().ToString().c_str());
  absl::StatusOr<Mapping> mapping =
      mirrored ? Mapping::MapMirrored(fd->get(), 0, bytes)
               : Mapping::MapShared(fd->get(), 0, bytes);
  if (!mapping.ok()) Die(mapping.status().ToString().c_str());
  return *std::move(mapping);
}

// A queue as the measurements see it. Made before the fork; each process then
// uses one end. Push and Pop wait; what was pushed is surely under way after
// Flush.

template <size_t batch>
class OurRing {
 public:
  void Push(const Record& record) {
    std::byte* payload;
    while ((payload = producer_.TryReserve(sizeof(Record))) == nullptr) {
      Flush();
      backoff_.Wait();
    }
    std::memcpy(payload, &record, sizeof(Record));
    producer_.Commit({sizeof(Record), 1, 0, 0, 1});
    if (++unpublished_ == batch) Flush();
  }

  void Flush() {
    unpublished_ = 0;
    if (producer_.Publish()) Die("the consumer sleeps");
    if (producer_.broken()) Die("the ring broke");
  }

  void Pop(Record* record) {
    RecordHeader header;
    const std::byte* payload;
    RingConsumer::Next next;
    while ((next = consumer_.Peek(&header, &payload)) !=
           RingConsumer::Next::kRecord) {
      if (next == RingConsumer::Next::kBroken) Die("the ring broke");
      Release();
      backoff_.Wait();
    }
    if (header.length != sizeof(Record)) Die("a record has the wrong size");
    std::memcpy(record, payload, sizeof(Record));
    consumer_.Pop();
    // The transport's reader too gives space back every so often.
    if (++unreleased_ == kReleaseEvery) Release();
  }

 private:
  static constexpr size_t kCapacity = 256 << 10;
  static constexpr size_t kReleaseEvery = 256;

  void Release() {
    unreleased_ = 0;
    consumer_.Release();
    if (consumer_.TakeProducerWakeup()) Die("the producer sleeps");
  }

  Mapping control_ = SharedMemory(sizeof(RingControl), /*mirrored=*/false);
  Mapping data_ = SharedMemory(kCapacity, /*mirrored=*/true);
  RingProducer producer_{reinterpret_cast<RingControl*>(control_.data()),
                         data_.data(), kCapacity};
  size_t unpublished_ = 0;
  RingConsumer consumer_{reinterpret_cast<RingControl*>(control_.data()),
                         data_.data(), kCapacity};
  size_t unreleased_ = 0;
  Backoff backoff_;
};

template <size_t batch, bool doorbell>
class BoostQueue {
 public:
  void Push(const Record& record) {
    if constexpr (batch == 1) {
      while (!queue_->push(record)) backoff_.Wait();
      CheckDoorbell();
    } else {
      pushed_[filled_++] = record;
      if (filled_ == batch) Flush();
    }
  }

  void Flush() {
    const Record* next = pushed_;
    while (filled_ > 0) {
      const size_t accepted = queue_->push(next, filled_);
      if (accepted == 0) backoff_.Wait();
      next += accepted;
      filled_ -= accepted;
      if (accepted > 0) CheckDoorbell();
    }
  }

  void Pop(Record* record) {
    if constexpr (batch == 1) {
      while (!queue_->pop(*record)) backoff_.Wait();
    } else {
      while (taken_ == available_) {
        taken_ = 0;
        available_ = queue_->pop(popped_, batch);
        if (available_ == 0) backoff_.Wait();
      }
      *record = popped_[taken_++];
    }
  }

 private:
  using Queue =
      boost::lockfree::spsc_queue<Record, boost::lockfree::capacity<4096>>;

  void CheckDoorbell() {
    if (doorbell && armed_flag::Take<StdAtomics>(control_->consumer_armed)) {
      Die("the consumer sleeps");
    }
  }

  Mapping memory_ = SharedMemory(sizeof(Queue), /*mirrored=*/false);
  Queue* const queue_ = new (memory_.data()) Queue;
  Mapping control_memory_ =
      SharedMemory(sizeof(RingControl), /*mirrored=*/false);
  RingControl* const control_ =
      reinterpret_cast<RingControl*>(control_memory_.data());
  Record pushed_[batch];
  size_t filled_ = 0;
  Record popped_[batch];
  size_t taken_ = 0;
  size_t available_ = 0;
  Backoff backoff_;
};

void RunOnCore(size_t index) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
    Die("sched_getaffinity failed");
  }
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || index-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof(one), &one) == 0) return;
  }
  Die("two processors are needed");
}

// The other process: runs `body` once for each round it is sent, on a core of
// its own.
class OtherProcess {
 public:
  template <class Body>
  explicit OtherProcess(Body body)
      : memory_(SharedMemory(sizeof(Rounds), /*mirrored=*/false)),
        rounds_(new (memory_.data()) Rounds) {
    if (sched_getaffinity(0, sizeof(allowed_), &allowed_) != 0) {
      Die("sched_getaffinity failed");
    }
    child_ = fork();
    if (child_ < 0) Die("fork failed");
    if (child_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      RunOnCore(1);
      uint64_t done = 0;
      Backoff backoff;
      for (;;) {
        // Pairs with the release in NextRound.
        while (rounds_->wanted.load(std::memory_order_acquire) == done) {
          backoff.Wait();
        }
        body();
        ++done;
      }
    }
    RunOnCore(0);
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;

  ~OtherProcess() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    sched_setaffinity(0, sizeof(allowed_), &allowed_);
  }

  void NextRound() {
    // Pairs with the acquire in the child.
    rounds_->wanted.fetch_add(1, std::memory_order_release);
  }

 private:
  struct Rounds {
    alignas(kCacheLineStride) std::atomic<uint64_t> wanted{0};
  };

  Mapping memory_;
  Rounds* const rounds_;
  cpu_set_t allowed_;
  pid_t child_;
};

class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                         start_)
        .count();
  }

 private:
  const std::chrono::steady_clock::time_point start_ =
      std::chrono::steady_clock::now();
};

// The other process writes, this one reads and verifies. From the word to
// start until the last record is verified.
template <class Queue>
void OneWay(benchmark::State& state) {
  Queue queue;
  OtherProcess writer([&queue] {
    for (uint64_t i = 0; i < kStreamRecords; ++i) queue.Push(Record::Make(i));
    queue.Flush();
  });
  for (auto _ : state) {
    const Stopwatch stopwatch;
    writer.NextRound();
    for (uint64_t i = 0; i < kStreamRecords; ++i) {
      Record record;
      queue.Pop(&record);
      if (!record.Is(i)) Die("a record is not what was sent");
    }
    state.SetIterationTime(stopwatch.Seconds());
  }
  state.SetItemsProcessed(state.iterations() *
                          static_cast<int64_t>(kStreamRecords));
}

// The other process sends each record back when it gets it.
template <class Queue>
void RoundTrip(benchmark::State& state) {
  Queue there;
  Queue back;
  OtherProcess echo([&there, &back] {
    for (uint64_t i = 0; i < kRoundTrips; ++i) {
      Record record;
      there.Pop(&record);
      back.Push(record);
      back.Flush();
    }
  });
  for (auto _ : state) {
    const Stopwatch stopwatch;
    echo.NextRound();
    for (uint64_t i = 0; i < kRoundTrips; ++i) {
      there.Push(Record::Make(i));
      there.Flush();
      Record record;
      back.Pop(&record);
      if (!record.Is(i)) Die("a record is not what was sent");
    }
    state.SetIterationTime(stopwatch.Seconds());
  }
  state.SetItemsProcessed(state.iterations() *
                          static_cast<int64_t>(kRoundTrips));
}

void Register(const char* name, void (*body)(benchmark::State&)) {
  benchmark::RegisterBenchmark(name, body)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

void RegisterAll() {
  using Plain = BoostQueue<1, /*doorbell=*/false>;
  Register("one_way/ring/batch:16", OneWay<OurRing<kBatch>>);
  Register("one_way/boost/batch:16", OneWay<BoostQueue<kBatch, false>>);
  Register("one_way/ring/batch:1", OneWay<OurRing<1>>);
  Register("one_way/boost/batch:1", OneWay<Plain>);
  Register("one_way/boost_with_doorbell/batch:1", OneWay<BoostQueue<1, true>>);
  Register("round_trip/ring", RoundTrip<OurRing<1>>);
  Register("round_trip/boost", RoundTrip<Plain>);
}

// Runs all, with flags of Google Benchmark that the user's come after.
int Run(int argc, char** argv) {
  std::vector<std::string> defaults = {
      "--benchmark_repetitions=5", "--benchmark_report_aggregates_only=true",
      "--benchmark_enable_random_interleaving=true",
      "--benchmark_min_time=0.5"};
  std::vector<char*> flags = {argv[0]};
  for (std::string& flag : defaults) flags.push_back(flag.data());
  flags.insert(flags.end(), argv + 1, argv + argc);
  int count = static_cast<int>(flags.size());
  benchmark::Initialize(&count, flags.data());
  if (benchmark::ReportUnrecognizedArguments(count, flags.data())) return 1;

  RegisterAll();
  const absl::StatusOr<bench::HostTime> start = bench::HostTime::Now();
  benchmark::RunSpecifiedBenchmarks();
  const absl::StatusOr<bench::HostTime> end = bench::HostTime::Now();
  if (start.ok() && end.ok()) {
    std::fprintf(stderr, "The host stole %.1f %% of the processors' time.\n",
                 bench::StolenPercent(*start, *end));
  }
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace grpc_shm

int main(int argc, char** argv) {
#if defined(__OPTIMIZE__) && defined(NDEBUG)
  constexpr bool kOptimised = true;
#else
  constexpr bool kOptimised = false;
#endif
  if (!kOptimised) {
    std::fprintf(stderr,
                 "ring_benchmark: figures of a build without optimisation mean "
                 "nothing; build with -c opt\n");
    return 1;
  }
  return grpc_shm::Run(argc, argv);
}
