// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_UNIT_RING_TEST_RING_H_
#define GRPC_SHM_TESTS_UNIT_RING_TEST_RING_H_

#include <cstddef>

#include "transport/memory/mapping.h"
#include "transport/ring/ring_layout.h"

namespace grpc_shm {

// One ring in a sealed memfd of its own: a page with the control block, then
// the data area. Also shared with children forked later. Dies when memory or
// descriptors run out.
class TestRing {
 public:
  explicit TestRing(size_t capacity);

  RingControl* control() const {
    return reinterpret_cast<RingControl*>(control_.data());
  }
  // Mapped twice in a row.
  std::byte* data() const { return data_.data(); }
  size_t capacity() const { return data_.size() / 2; }

 private:
  Mapping control_;
  Mapping data_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_UNIT_RING_TEST_RING_H_
