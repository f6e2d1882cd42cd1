// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_CALL_FIFO_H_
#define GRPC_SHM_TRANSPORT_CALL_FIFO_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"

namespace grpc_shm {

// A queue that allocates nothing as long as no more than `kInline` elements are
// pushed between two times that it is empty: what most calls have. (A
// std::deque allocates twice when it is made.) References to elements are valid
// until they are popped.
template <typename T, size_t kInline>
class Fifo {
 public:
  bool empty() const {
    return first_.empty() && (more_ == nullptr || more_->empty());
  }

  T& front() { return first_.empty() ? more_->front() : first_[popped_]; }

  // The first element of which that is true; null: there is none.
  T* Find(absl::FunctionRef<bool(const T&)> is_it) {
    for (size_t i = popped_; i < first_.size(); ++i) {
      if (is_it(first_[i])) return &first_[i];
    }
    if (more_ == nullptr) return nullptr;
    for (T& element : *more_) {
      if (is_it(element)) return &element;
    }
    return nullptr;
  }

  void push_back(T element) {
    if (first_.size() < kInline && (more_ == nullptr || more_->empty())) {
      first_.push_back(std::move(element));
      return;
    }
    if (more_ == nullptr) more_ = std::make_unique<std::deque<T>>();
    more_->push_back(std::move(element));
  }

  void pop_front() {
    if (first_.empty()) return more_->pop_front();
    [[maybe_unused]] T popped =
        std::move(front());  // what it owns goes at once
    if (++popped_ < first_.size()) return;
    first_.clear();
    popped_ = 0;
  }

  void clear() {
    first_.clear();
    popped_ = 0;
    more_ = nullptr;
  }

 private:
  absl::InlinedVector<T, kInline> first_;  // at most so many
  size_t popped_ = 0;                      // of these
  std::unique_ptr<std::deque<T>> more_;    // those behind them; null: none yet
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_CALL_FIFO_H_
