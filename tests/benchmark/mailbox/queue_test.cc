// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/mailbox/queue.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/benchmark/mailbox/created_queue.h"
#include "tests/benchmark/mailbox/crew.h"

namespace grpc_shm::bench::mailbox {
namespace {

class QueueTest : public testing::TestWithParam<QueueKind> {
 protected:
  const std::string name_ = absl::StrCat("queue-test-", getpid());
  const QueueSize size_ = {4, 100};
};

// Sends `text`.
absl::Status Send(Queue* queue, const std::string& text) {
  return queue->Send(text.size(),
                     [&](char* data) { text.copy(data, text.size()); });
}

// Receives a message, which must be `text`.
absl::Status Expect(Queue* queue, const std::string& text) {
  return queue->Receive([&](absl::string_view message) {
    return message == text ? absl::OkStatus()
                           : absl::DataLossError(std::string(message));
  });
}

TEST_P(QueueTest, DeliversInOrder) {
  const CreatedQueue created(GetParam(), name_, size_);
  ASSERT_TRUE(created.status().ok()) << created.status();
  const absl::Status status = RunInChild([&] {
    auto sender = GetParam().open(name_, size_);
    auto receiver = GetParam().open(name_, size_);
    if (!sender.ok()) return sender.status();
    if (!receiver.ok()) return receiver.status();
    const std::string longest(100, 'l');
    for (const std::string& text : {std::string("a"), longest})
      if (absl::Status sent = Send(sender->get(), text); !sent.ok())
        return sent;
    if (absl::Status first = Expect(receiver->get(), "a"); !first.ok())
      return first;
    return Expect(receiver->get(), longest);
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST_P(QueueTest, ReturnsWhatTheReaderReturns) {
  const CreatedQueue created(GetParam(), name_, size_);
  ASSERT_TRUE(created.status().ok()) << created.status();
  EXPECT_EQ(RunInChild([&] {
              auto queue = GetParam().open(name_, size_);
              if (!queue.ok()) return queue.status();
              if (absl::Status sent = Send(queue->get(), "a"); !sent.ok())
                return sent;
              return Expect(queue->get(), "b");
            }),
            absl::DataLossError("a"));
}

TEST_P(QueueTest, IsGoneWhenItIsRemoved) {
  { const CreatedQueue created(GetParam(), name_, size_); }
  const absl::Status status =
      RunInChild([&] { return GetParam().open(name_, size_).status(); });
  EXPECT_FALSE(status.ok());
}

INSTANTIATE_TEST_SUITE_P(All, QueueTest, testing::ValuesIn(QueueKinds()),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

}  // namespace
}  // namespace grpc_shm::bench::mailbox
