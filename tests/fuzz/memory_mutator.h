// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_FUZZ_MEMORY_MUTATOR_H_
#define GRPC_SHM_TESTS_FUZZ_MEMORY_MUTATOR_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace grpc_shm {
namespace fuzz {

// A thread that writes to shared memory while others use it, as a hostile
// process can. One for the whole program, since to start a thread for each
// input would cost more than the input does.
class MemoryMutator {
 public:
  // While it lives, words of the `bytes` at `memory` change and, less often,
  // words of the `hot_bytes` at `hot`: the control blocks, where most changes
  // end everything. A seed of zero changes nothing.
  class Scope {
   public:
    Scope(uint32_t seed, std::byte* hot, size_t hot_bytes, std::byte* memory,
          size_t bytes);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    const bool active_;
  };

 private:
  struct Work {
    uint32_t seed;
    std::byte* hot;
    size_t hot_bytes;
    std::byte* memory;
    size_t bytes;
  };

  static MemoryMutator& Get();
  void Run();
  static void Mutate(const Work& work, uint64_t* random);

  std::atomic<bool> stopping_{false};
  absl::Mutex mu_;
  bool working_ ABSL_GUARDED_BY(mu_) = false;
  Work work_ ABSL_GUARDED_BY(mu_);
};

}  // namespace fuzz
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_FUZZ_MEMORY_MUTATOR_H_
