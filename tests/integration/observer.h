// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_OBSERVER_H_
#define GRPC_SHM_TESTS_INTEGRATION_OBSERVER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace grpc_shm {
namespace testing {

// CLOCK_MONOTONIC in nanoseconds: one clock for all processes of a machine.
int64_t MonotonicNanos();

// What happened in a server, and when; and the gates at which its handlers wait
// for the test. One per server, used from any thread.
class Observer {
 public:
  struct Record {
    int64_t count = 0;
    int64_t last_ns = 0;  // MonotonicNanos() of the latest
  };

  void Note(const std::string& key, const std::string& event);

  // Waits until `event` of `key` was noted `count` times or `timeout` has
  // passed; returns what is known then.
  Record Await(const std::string& key, const std::string& event, int64_t count,
               absl::Duration timeout);

  void OpenGate(const std::string& gate);

  // Waits for the gate, or until `give_up` (asked a few times a second) is
  // true. Returns whether the gate is open.
  bool AwaitGate(const std::string& gate, absl::FunctionRef<bool()> give_up);

 private:
  absl::Mutex mutex_;
  absl::CondVar gate_opened_;
  std::map<std::pair<std::string, std::string>, Record> records_
      ABSL_GUARDED_BY(mutex_);
  std::set<std::string> open_gates_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_OBSERVER_H_
