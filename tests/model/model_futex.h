// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_MODEL_MODEL_FUTEX_H_
#define GRPC_SHM_TESTS_MODEL_MODEL_FUTEX_H_

#include <cstdint>

// Last: see there.
#include "tests/model/relacy_atomics.h"

namespace grpc_shm {

// futex(2): to look at the word and to fall asleep is one step for whoever
// wakes, and who sleeps longest is woken first. One word.
class ModelFutex {
 public:
  void Reset() { sleeping_ = woken_ = 0; }

  template <class Word>
  bool Wait(Word& word, uint32_t value) {
    mutex_.lock(RL_INFO);
    if (word.load(RelacyAtomics<Weakness::kNone>::kSeqCst) == value) {
      const int turn = sleeping_++;
      while (woken_ <= turn) condition_.wait(mutex_, RL_INFO);
    }
    mutex_.unlock(RL_INFO);
    return true;
  }

  int Wake(int most) {
    mutex_.lock(RL_INFO);
    int count = sleeping_ - woken_;
    if (count > most) count = most;
    woken_ += count;
    condition_.notify_all(RL_INFO);
    mutex_.unlock(RL_INFO);
    return count;
  }

 private:
  rl::mutex mutex_;
  rl::condition_variable_any condition_;
  // Guarded by mutex_; no points for the scheduler of their own.
  int sleeping_ = 0;
  int woken_ = 0;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_MODEL_MODEL_FUTEX_H_
