// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_MAILBOX_SHARED_MEMORY_H_
#define GRPC_SHM_TESTS_BENCHMARK_MAILBOX_SHARED_MEMORY_H_

#include <stdlib.h>
#include <sys/mman.h>

#include <new>
#include <type_traits>

namespace grpc_shm::bench::mailbox {

// A `T`, made with its default constructor, that this process shares with those
// that it forks. Pages take memory when they are first written.
template <class T>
class SharedMemory {
 public:
  static_assert(std::is_trivially_destructible_v<T>);

  SharedMemory() {
    void* const memory = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) abort();
    value_ = new (memory) T;
  }
  ~SharedMemory() { munmap(value_, sizeof(T)); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  T* operator->() const { return value_; }
  T& operator*() const { return *value_; }

 private:
  T* value_;
};

}  // namespace grpc_shm::bench::mailbox

#endif  // GRPC_SHM_TESTS_BENCHMARK_MAILBOX_SHARED_MEMORY_H_
