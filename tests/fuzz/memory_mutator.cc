// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/fuzz/memory_mutator.h"

namespace grpc_shm {
namespace fuzz {
namespace {

uint64_t Next(uint64_t* random) {  // Marsaglia's xorshift64
  *random ^= *random << 13;
  *random ^= *random >> 7;
  *random ^= *random << 17;
  return *random;
}

void Change(std::byte* at, uint64_t* random) {
  auto* const word = reinterpret_cast<uint64_t*>(at);
  const uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);
  // Mostly near the truth: what is far off is found out at once.
  const uint64_t draw = Next(random);
  uint64_t value = old;
  switch (draw % 8) {
    case 0:
      value = draw;
      break;
    case 1:
      value = old ^ (uint64_t{1} << (draw >> 58));
      break;
    case 2:
      value = old - 16 * (draw >> 56);
      break;
    case 3:
      value = 0;
      break;
    default:
      value = old + 16 * (draw >> 58);
  }
  __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

}  // namespace

MemoryMutator& MemoryMutator::Get() {
  static MemoryMutator* const mutator = [] {
    auto* const made = new MemoryMutator;
    std::thread([made] { made->Run(); }).detach();  // lives as long as we do
    return made;
  }();
  return *mutator;
}

MemoryMutator::Scope::Scope(uint32_t seed, std::byte* hot, size_t hot_bytes,
                            std::byte* memory, size_t bytes)
    : active_(seed != 0) {
  if (!active_) return;
  MemoryMutator& mutator = Get();
  absl::MutexLock lock(&mutator.mu_);
  mutator.work_ = {seed, hot, hot_bytes, memory, bytes};
  mutator.working_ = true;
}

MemoryMutator::Scope::~Scope() {
  if (!active_) return;
  MemoryMutator& mutator = Get();
  mutator.stopping_.store(true);       // or it might never let go of the lock
  absl::MutexLock lock(&mutator.mu_);  // it writes only with the lock held
  mutator.working_ = false;
  mutator.stopping_.store(false);
}

void MemoryMutator::Run() {
  uint64_t random = 0;
  uint32_t seed = 0;
  const auto wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return working_ && !stopping_.load();
  };
  for (;;) {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(&wanted));
    if (work_.seed != seed) random = seed = work_.seed;
    for (int i = 0; i < 64; ++i) Mutate(work_, &random);
  }
}

void MemoryMutator::Mutate(const Work& work, uint64_t* random) {
  const uint64_t draw = Next(random);
  if (draw % 32 == 0) {
    Change(work.hot + (draw >> 8) % (work.hot_bytes / 8) * 8, random);
  } else {
    Change(work.memory + (draw >> 8) % (work.bytes / 8) * 8, random);
  }
}

}  // namespace fuzz
}  // namespace grpc_shm
