// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_FUZZ_POKE_H_
#define GRPC_SHM_TESTS_FUZZ_POKE_H_

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/fuzz_input.pb.h"

namespace grpc_shm {
namespace fuzz {

// Writes to a word of the `bytes` at `memory`, as a hostile process would.
inline void DoPoke(const Poke& poke, std::byte* memory, size_t bytes) {
  auto* const word =
      reinterpret_cast<uint64_t*>(memory + poke.offset() % (bytes / 8) * 8);
  if (poke.add()) {
    __atomic_fetch_add(word, poke.value(), __ATOMIC_RELAXED);
  } else {
    __atomic_store_n(word, poke.value(), __ATOMIC_RELAXED);
  }
}

}  // namespace fuzz
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_FUZZ_POKE_H_
