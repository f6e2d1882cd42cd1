// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <boost/interprocess/ipc/message_queue.hpp>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/benchmark/mailbox/queue.h"

namespace grpc_shm::bench::mailbox {
namespace {

using boost::interprocess::interprocess_exception;
using boost::interprocess::message_queue;

absl::Status ToStatus(const interprocess_exception& error) {
  return absl::InternalError(
      absl::StrCat("boost::interprocess::message_queue: ", error.what()));
}

class BoostQueue : public Queue {
 public:
  // Throws interprocess_exception.
  BoostQueue(const std::string& name, const QueueSize& size)
      : queue_(boost::interprocess::open_only, name.c_str()),
        buffer_(size.max_message_bytes, '\0') {}

  absl::Status Send(size_t bytes, Writer writer) override {
    writer(buffer_.data());
    try {
      queue_.send(buffer_.data(), bytes, /*priority=*/0);
    } catch (const interprocess_exception& error) {
      return ToStatus(error);
    }
    return absl::OkStatus();
  }

  absl::Status Receive(Reader reader) override {
    message_queue::size_type bytes = 0;
    unsigned int priority = 0;
    try {
      queue_.receive(buffer_.data(), buffer_.size(), bytes, priority);
    } catch (const interprocess_exception& error) {
      return ToStatus(error);
    }
    return reader(absl::string_view(buffer_.data(), bytes));
  }

 private:
  message_queue queue_;
  std::string buffer_;
};

absl::Status Create(const std::string& name, const QueueSize& size) {
  try {
    message_queue(boost::interprocess::create_only, name.c_str(), size.capacity,
                  size.max_message_bytes);
  } catch (const interprocess_exception& error) {
    return ToStatus(error);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Queue>> Open(const std::string& name,
                                            const QueueSize& size) {
  try {
    return std::make_unique<BoostQueue>(name, size);
  } catch (const interprocess_exception& error) {
    return ToStatus(error);
  }
}

void Remove(const std::string& name) { message_queue::remove(name.c_str()); }

}  // namespace

QueueKind BoostQueues() { return {"boost", "copy", Create, Open, Remove}; }

}  // namespace grpc_shm::bench::mailbox
