// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/link_options.h"

#include <unistd.h>

#include <algorithm>

#include "absl/numeric/bits.h"
#include "transport/ring/ring_layout.h"

namespace grpc_shm {

size_t GrantedRingBytes(const LinkOptions& options, uint64_t wanted) {
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t floor =
      std::max<uint64_t>(absl::bit_ceil(page), kMinRingCapacity);
  // A maximum that is not a power of two is rounded down: it is a promise.
  const uint64_t max =
      std::max(floor, absl::bit_floor(std::min<uint64_t>(options.max_ring_bytes,
                                                         kMaxRingCapacity)));
  const uint64_t min = std::max<uint64_t>(floor, options.min_ring_bytes);
  if (wanted == 0) wanted = options.ring_bytes;
  // The maximum wins over a greater minimum. Once clamped nothing overflows.
  return static_cast<size_t>(
      absl::bit_ceil(std::min(max, std::max(min, wanted))));
}

uint32_t GrantedWindowBytes(const LinkOptions& options, uint32_t wanted) {
  if (wanted == 0) wanted = options.window_bytes;
  const uint32_t granted = std::min(options.max_window_bytes,
                                    std::max(options.min_window_bytes, wanted));
  return std::max<uint32_t>(1, granted);
}

}  // namespace grpc_shm
