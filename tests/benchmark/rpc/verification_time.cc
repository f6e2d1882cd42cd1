// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/verification_time.h"

#include <time.h>

namespace grpc_shm::bench {
namespace {

absl::Duration ThreadCpuTime() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return absl::DurationFromTimespec(time);
}

}  // namespace

VerificationTime::Scope::Scope(VerificationTime* owner) : owner_(owner) {
  if (owner_->metered_) start_ = ThreadCpuTime();
}

VerificationTime::Scope::~Scope() {
  if (owner_->metered_) owner_->total_ += ThreadCpuTime() - start_;
}

}  // namespace grpc_shm::bench
