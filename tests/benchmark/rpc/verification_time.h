// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_VERIFICATION_TIME_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_VERIFICATION_TIME_H_

#include <cstddef>

#include "absl/time/time.h"

namespace grpc_shm::bench {

// Adds up the CPU time that one thread spends on verifying replies, so that it
// is not counted as the transport's. For messages below kMeteredBytes it does
// nothing: their verification costs less than asking for the time.
class VerificationTime {
 public:
  static constexpr size_t kMeteredBytes = 16 * 1024;

  explicit VerificationTime(size_t message_bytes)
      : metered_(message_bytes >= kMeteredBytes) {}

  // Counts the time from construction to destruction; both on one thread.
  class Scope {
   public:
    explicit Scope(VerificationTime* owner);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    VerificationTime* const owner_;
    absl::Duration start_;
  };

  absl::Duration total() const { return total_; }
  void Reset() { total_ = absl::ZeroDuration(); }

 private:
  const bool metered_;
  absl::Duration total_;
};

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_VERIFICATION_TIME_H_
