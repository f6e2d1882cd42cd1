// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/unit/ring/test_ring.h"

#include <unistd.h>

#include <cstddef>

#include "absl/status/statusor.h"
#include "transport/base/unique_fd.h"
#include "transport/memory/mapping.h"
#include "transport/memory/sealed_memfd.h"

namespace grpc_shm {

TestRing::TestRing(size_t capacity) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  absl::StatusOr<UniqueFd> fd = CreateSealedMemfd("ring", page + capacity);
  // StatusOr::value dies, or throws, with the message.
  control_ = Mapping::MapShared(fd.value().get(), 0, page).value();
  data_ = Mapping::MapMirrored(fd->get(), page, capacity).value();
}

}  // namespace grpc_shm
