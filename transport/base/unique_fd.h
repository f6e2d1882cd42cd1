// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_BASE_UNIQUE_FD_H_
#define GRPC_SHM_TRANSPORT_BASE_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace grpc_shm {

// Owns one file descriptor and closes it. Move-only; a moved-from or
// default-constructed object owns nothing. Not thread-safe. Closing keeps
// errno, so that an error path may report its cause after its descriptors are
// gone.
class UniqueFd {
 public:
  UniqueFd() = default;
  // Takes ownership of `fd`; a negative number means none.
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  // The descriptor, still owned; -1 for none.
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

  // The descriptor, no longer owned.
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

  // Closes what is owned and takes `fd` instead.
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_BASE_UNIQUE_FD_H_
