// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <fcntl.h>
#include <mqueue.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/benchmark/mailbox/queue.h"

namespace grpc_shm::bench::mailbox {
namespace {

std::string PathOf(const std::string& name) { return absl::StrCat("/", name); }

class PosixQueue : public Queue {
 public:
  PosixQueue(mqd_t queue, size_t max_message_bytes)
      : queue_(queue), buffer_(max_message_bytes, '\0') {}
  ~PosixQueue() override { mq_close(queue_); }
  PosixQueue(const PosixQueue&) = delete;
  PosixQueue& operator=(const PosixQueue&) = delete;

  absl::Status Send(size_t bytes, Writer writer) override {
    writer(buffer_.data());
    if (mq_send(queue_, buffer_.data(), bytes, /*msg_prio=*/0) != 0)
      return absl::ErrnoToStatus(errno, "mq_send");
    return absl::OkStatus();
  }

  absl::Status Receive(Reader reader) override {
    const ssize_t bytes =
        mq_receive(queue_, buffer_.data(), buffer_.size(), nullptr);
    if (bytes < 0) return absl::ErrnoToStatus(errno, "mq_receive");
    return reader(absl::string_view(buffer_.data(), bytes));
  }

 private:
  const mqd_t queue_;
  std::string buffer_;
};

absl::Status Create(const std::string& name, const QueueSize& size) {
  mq_attr attributes = {};
  attributes.mq_maxmsg = static_cast<long>(size.capacity);
  attributes.mq_msgsize = static_cast<long>(size.max_message_bytes);
  const mqd_t queue = mq_open(PathOf(name).c_str(), O_CREAT | O_EXCL | O_RDWR,
                              S_IRUSR | S_IWUSR, &attributes);
  if (queue != -1) {
    mq_close(queue);
    return absl::OkStatus();
  }
  // /proc/sys/fs/mqueue has limits, and so has RLIMIT_MSGQUEUE.
  if (errno == EINVAL || errno == EMFILE || errno == ENOMEM) {
    return absl::OutOfRangeError(absl::StrCat(
        "this system allows no POSIX queue of ", size.capacity, " messages of ",
        size.max_message_bytes, " B; see /proc/sys/fs/mqueue and ulimit -q"));
  }
  return absl::ErrnoToStatus(errno, "mq_open");
}

absl::StatusOr<std::unique_ptr<Queue>> Open(const std::string& name,
                                            const QueueSize& size) {
  const mqd_t queue = mq_open(PathOf(name).c_str(), O_RDWR);
  if (queue == -1) return absl::ErrnoToStatus(errno, "mq_open");
  return std::make_unique<PosixQueue>(queue, size.max_message_bytes);
}

void Remove(const std::string& name) { mq_unlink(PathOf(name).c_str()); }

}  // namespace

QueueKind PosixQueues() { return {"posix_mq", "copy", Create, Open, Remove}; }

}  // namespace grpc_shm::bench::mailbox
