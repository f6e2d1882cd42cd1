// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_MAILBOX_QUEUE_H_
#define GRPC_SHM_TESTS_BENCHMARK_MAILBOX_QUEUE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace grpc_shm::bench::mailbox {

// A queue of messages between processes, as one process has it open.
// Thread-compatible.
class Queue {
 public:
  using Writer = absl::FunctionRef<void(char* data)>;
  using Reader = absl::FunctionRef<absl::Status(absl::string_view message)>;

  virtual ~Queue() = default;
  // Has `writer` make a message of `bytes` and sends it, as an application does
  // that makes its data itself: in a buffer that is then copied, or in place
  // where the queue allows it. Waits while the queue is full.
  virtual absl::Status Send(size_t bytes, Writer writer) = 0;
  // Waits while the queue is empty, then has `reader` read a message, in a
  // buffer or in place; returns what it returns.
  virtual absl::Status Receive(Reader reader) = 0;
};

struct QueueSize {
  size_t capacity;           // messages
  size_t max_message_bytes;  // of each
};

// One way to make such queues. None of its functions may be called in a process
// that forks afterwards, since a queue may have threads.
struct QueueKind {
  absl::string_view name;
  absl::string_view api;  // "copy", or "in place"
  // Makes the queue; it lasts until it is removed. OUT_OF_RANGE when this
  // system does not allow one of that size.
  absl::Status (*create)(const std::string& name, const QueueSize& size);
  absl::StatusOr<std::unique_ptr<Queue>> (*open)(const std::string& name,
                                                 const QueueSize& size);
  // Removes the queue, if it exists.
  void (*remove)(const std::string& name);
  // Ours, which is compared with the others.
  bool ours = false;
};

// grpc_shm::Mailbox, messages copied in and read in place.
QueueKind MailboxQueues();
// The same, messages written in place.
QueueKind MailboxLoanQueues();
// boost::interprocess::message_queue.
QueueKind BoostQueues();
// POSIX message queues, mq_overview(7).
QueueKind PosixQueues();

// All of them, in the order in which they are shown.
const std::vector<QueueKind>& QueueKinds();

}  // namespace grpc_shm::bench::mailbox

#endif  // GRPC_SHM_TESTS_BENCHMARK_MAILBOX_QUEUE_H_
