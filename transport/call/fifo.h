// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_CALL_FIFO_H_
#define GRPC_SHM_TRANSPORT_CALL_FIFO_H_

#include <cstddef>
#include <utility>

#include "absl/container/inlined_vector.h"

namespace grpc_shm {

// A queue that allocates nothing as long as it holds no more than `kInline`
// elements between two times that it is empty: what most calls have. (A
// std::deque allocates twice when it is made.) References to elements are valid
// until one is pushed or popped.
template <typename T, size_t kInline>
class Fifo {
 public:
  bool empty() const { return elements_.empty(); }
  T& front() { return elements_[popped_]; }

  // In the order in which they were pushed.
  T* begin() { return elements_.data() + popped_; }
  T* end() { return elements_.data() + elements_.size(); }

  void push_back(T element) { elements_.push_back(std::move(element)); }

  void pop_front() {
    front() = T();  // what it owns goes at once
    if (++popped_ == elements_.size()) {
      clear();
    } else if (popped_ > kInline && 2 * popped_ > elements_.size()) {
      elements_.erase(elements_.begin(), elements_.begin() + popped_);
      popped_ = 0;
    }
  }

  void clear() {
    elements_.clear();
    popped_ = 0;
  }

 private:
  absl::InlinedVector<T, kInline> elements_;
  size_t popped_ = 0;  // of the elements, at the beginning
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_CALL_FIFO_H_
