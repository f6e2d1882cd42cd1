// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_MAILBOX_CREATED_QUEUE_H_
#define GRPC_SHM_TESTS_BENCHMARK_MAILBOX_CREATED_QUEUE_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "tests/benchmark/mailbox/crew.h"
#include "tests/benchmark/mailbox/queue.h"

namespace grpc_shm::bench::mailbox {

// A queue that exists as long as this does. Both are done in child processes,
// so that this process remains one that may fork.
class CreatedQueue {
 public:
  CreatedQueue(const QueueKind& kind, std::string name, const QueueSize& size)
      : kind_(kind),
        name_(std::move(name)),
        status_(RunInChild([&] { return kind_.create(name_, size); })) {}
  ~CreatedQueue() {
    RunInChild([this] {
      kind_.remove(name_);
      return absl::OkStatus();
    }).IgnoreError();
  }
  CreatedQueue(const CreatedQueue&) = delete;
  CreatedQueue& operator=(const CreatedQueue&) = delete;

  // Whether it could be made.
  const absl::Status& status() const { return status_; }
  const std::string& name() const { return name_; }

 private:
  const QueueKind& kind_;
  const std::string name_;
  const absl::Status status_;
};

}  // namespace grpc_shm::bench::mailbox

#endif  // GRPC_SHM_TESTS_BENCHMARK_MAILBOX_CREATED_QUEUE_H_
