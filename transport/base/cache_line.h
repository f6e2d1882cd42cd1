// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_BASE_CACHE_LINE_H_
#define GRPC_SHM_TRANSPORT_BASE_CACHE_LINE_H_

#include <cstddef>

namespace grpc_shm {

// Distance in bytes between two words that different cores write. Two 64-byte
// lines, because common processors fetch lines in adjacent pairs. Fixed rather
// than asked of the compiler: it is part of the shared-memory layout, which two
// differently built processes must agree about.
inline constexpr size_t kCacheLineStride = 128;

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_BASE_CACHE_LINE_H_
