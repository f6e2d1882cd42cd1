// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/observer.h"

#include <time.h>

namespace grpc_shm {
namespace testing {

int64_t MonotonicNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

void Observer::Note(const std::string& key, const std::string& event) {
  absl::MutexLock lock(&mutex_);
  Record& record = records_[{key, event}];
  ++record.count;
  record.last_ns = MonotonicNanos();
}

Observer::Record Observer::Await(const std::string& key,
                                 const std::string& event, int64_t count,
                                 absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const Record* record = &records_[{key, event}];
  auto reached = [record, count] { return record->count >= count; };
  mutex_.AwaitWithTimeout(absl::Condition(&reached), timeout);
  return *record;
}

void Observer::OpenGate(const std::string& gate) {
  absl::MutexLock lock(&mutex_);
  open_gates_.insert(gate);
  gate_opened_.SignalAll();
}

bool Observer::AwaitGate(const std::string& gate,
                         absl::FunctionRef<bool()> give_up) {
  absl::MutexLock lock(&mutex_);
  while (open_gates_.count(gate) == 0) {
    // A condition variable, for a thousand handlers may wait here.
    gate_opened_.WaitWithTimeout(&mutex_, absl::Milliseconds(200));
    if (open_gates_.count(gate) == 0 && give_up()) return false;
  }
  return true;
}

}  // namespace testing
}  // namespace grpc_shm
