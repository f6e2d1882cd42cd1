// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/closed_loop.h"

#include <chrono>
#include <functional>
#include <numeric>
#include <thread>

#include "absl/time/clock.h"
#include "tests/benchmark/rpc/process_usage.h"
#include "tests/benchmark/rpc/statistics.h"
#include "tests/benchmark/rpc/verification_time.h"

namespace grpc_shm::bench {
namespace {

constexpr uint64_t kMinWarmUpCalls = 2;

using Clock = std::chrono::steady_clock;

double MicrosecondsBetween(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double, std::micro>(end - start).count();
}

// One thread's part.
class Loop {
 public:
  Loop(const Cell& cell, absl::Duration pause, Exchange* exchange)
      : cell_(cell),
        pause_(pause),
        exchange_(exchange),
        verification_(cell.bytes) {}

  // Repeats for `time`, at least `min_calls` times; only what the last such
  // call did is kept.
  void Repeat(absl::Duration time, uint64_t min_calls) {
    latencies_us_.clear();
    verification_.Reset();
    const Clock::time_point end =
        Clock::now() + absl::ToChronoNanoseconds(time);
    while (status_.ok() &&
           (Clock::now() < end || latencies_us_.size() < min_calls))
      status_ = Once();
  }

  void Finish() {
    if (status_.ok()) status_ = exchange_->Finish();
  }

  const absl::Status& status() const { return status_; }
  const std::vector<double>& latencies_us() const { return latencies_us_; }
  absl::Duration verification() const { return verification_.total(); }

 private:
  absl::Status Once() {
    if (pause_ > absl::ZeroDuration()) absl::SleepFor(pause_);
    const uint64_t sequence = next_sequence_++;
    exchange_->Prepare(sequence);
    const Clock::time_point start = Clock::now();
    absl::Status status = exchange_->Run();
    latencies_us_.push_back(MicrosecondsBetween(start, Clock::now()));
    if (!status.ok()) return status;
    VerificationTime::Scope timed(&verification_);
    return exchange_->Verify(sequence);
  }

  const Cell& cell_;
  const absl::Duration pause_;
  Exchange* const exchange_;
  uint64_t next_sequence_ = 0;
  std::vector<double> latencies_us_;
  VerificationTime verification_;
  absl::Status status_;
};

// Does `work` for each loop, on a thread each if there are several.
void ForEach(std::vector<Loop>* loops, const std::function<void(Loop*)>& work) {
  if (loops->size() == 1) return work(&loops->front());
  std::vector<std::thread> threads;
  threads.reserve(loops->size());
  for (Loop& loop : *loops) threads.emplace_back(work, &loop);
  for (std::thread& thread : threads) thread.join();
}

absl::Status FirstError(const std::vector<Loop>& loops) {
  for (const Loop& loop : loops) {
    if (!loop.status().ok()) return loop.status();
  }
  return absl::OkStatus();
}

Measurement Summarise(const Cell& cell, const std::vector<Loop>& loops,
                      absl::Duration elapsed, absl::Duration cpu) {
  std::vector<double> latencies_us;
  for (const Loop& loop : loops) {
    latencies_us.insert(latencies_us.end(), loop.latencies_us().begin(),
                        loop.latencies_us().end());
    cpu -= loop.verification();
  }
  const auto calls = static_cast<double>(latencies_us.size());
  const double busy_us =
      std::accumulate(latencies_us.begin(), latencies_us.end(), 0.0);
  const double seconds =
      loops.size() == 1 ? busy_us / 1e6 : absl::ToDoubleSeconds(elapsed);

  Measurement result;
  result.set_samples(latencies_us.size());
  result.set_per_s(calls / seconds);
  if (cell.bytes > 0)
    result.set_mb_per_s(calls * static_cast<double>(cell.bytes) / seconds /
                        1e6);
  result.set_cpu_us_per_call(absl::ToDoubleMicroseconds(cpu) / calls);
  result.set_p50_us(Percentile(0.50, &latencies_us));
  result.set_p99_us(Percentile(0.99, &latencies_us));
  return result;
}

}  // namespace

absl::StatusOr<Measurement> RunClosedLoop(
    const Cell& cell, const std::vector<std::unique_ptr<Exchange>>& exchanges,
    absl::Duration pause) {
  std::vector<Loop> loops;
  for (const auto& exchange : exchanges)
    loops.emplace_back(cell, pause, exchange.get());
  ForEach(&loops, [&](Loop* loop) {
    loop->Repeat(cell.timing.warm_up, kMinWarmUpCalls);
  });

  UsageMeter meter(cell.server_pid);
  if (absl::Status status = meter.Reset(); !status.ok()) return status;
  const absl::Time start = absl::Now();
  ForEach(&loops, [&](Loop* loop) {
    loop->Repeat(cell.timing.measure, cell.timing.min_calls);
  });
  const absl::Duration elapsed = absl::Now() - start;
  const absl::StatusOr<UsageMeter::Usage> usage = meter.Read();
  if (!usage.ok()) return usage.status();

  for (Loop& loop : loops) loop.Finish();
  if (absl::Status status = FirstError(loops); !status.ok()) return status;
  return Summarise(cell, loops, elapsed, usage->cpu());
}

}  // namespace grpc_shm::bench
