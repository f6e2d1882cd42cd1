// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_STRESS_MIXED_LOAD_H_
#define GRPC_SHM_TESTS_STRESS_MIXED_LOAD_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "tests/integration/client_call.h"

namespace grpc_shm {
namespace testing {

// Calls of all kinds by all kinds of stubs, one after the other on each of some
// threads, whose servers may die, stop and come back at any time; and raw
// messages of a mailbox, if there is one. Every reply and every message is
// checked; a call may only succeed, be cancelled by its own thread, or be
// UNAVAILABLE. One that is not over within a minute hangs.
class MixedLoad {
 public:
  struct Totals {
    int64_t succeeded = 0;
    int64_t unavailable = 0;
    int64_t cancelled = 0;
    int64_t messages = 0;             // raw ones
    std::vector<std::string> errors;  // the first few of what must not be
    int64_t error_count = 0;
  };

  // `makes_channels`: threads replace their channels now and then.
  struct Options {
    int threads = 3;
    uint32_t seed = 1;
    std::vector<std::string> targets;
    std::string mailbox;  // of raw messages (see RawMessages); "": none
    bool makes_channels = true;
  };

  explicit MixedLoad(const Options& options);
  ~MixedLoad();

  // Ends it when the calls under way are over.
  Totals Stop();

  // How many calls each thread has ended: to see that none hangs.
  int64_t calls() const { return calls_.load(std::memory_order_relaxed); }

 private:
  void Run(uint32_t seed);
  void Call(uint32_t seed, const ChannelPtr& channel);
  void Count(const grpc::Status& status, bool cancelled,
             const std::string& error);
  void AddError(const std::string& error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> calls_{0};
  absl::Mutex mu_;
  Totals totals_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;
};

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_STRESS_MIXED_LOAD_H_
