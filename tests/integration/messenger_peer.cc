// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/messenger_peer.h"

#include <atomic>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"

namespace grpc_shm {
namespace testing {

absl::Status MessengerPeer::Open(const std::string& name,
                                 uint64_t inbox_messages,
                                 uint64_t max_message_bytes) {
  MessengerCommand command;
  command.mutable_open()->set_name(name);
  command.mutable_open()->set_inbox_messages(inbox_messages);
  command.mutable_open()->set_max_message_bytes(max_message_bytes);
  return Do(command);
}

absl::Status MessengerPeer::Send(const std::string& to,
                                 const std::string& message) {
  return Do(SendCommand(to, message));
}

absl::Status MessengerPeer::SendNumbers(const std::string& to, int count) {
  return Do(SendNumbersCommand(to, count));
}

std::vector<std::string> MessengerPeer::Receive(const std::string& from,
                                                int count) {
  ControlReply reply;
  const absl::Status status = Do(ReceiveCommand(from, count), &reply);
  EXPECT_TRUE(status.ok()) << status;
  std::vector<std::string> messages;
  for (const InboxMessage& message : reply.messages()) {
    EXPECT_EQ(message.sender(), from);
    messages.push_back(message.data());
  }
  return messages;
}

std::vector<InboxMessage> MessengerPeer::ReceiveAny(int count) {
  MessengerCommand command;
  command.mutable_receive()->set_count(count);
  ControlReply reply;
  const absl::Status status = Do(command, &reply);
  EXPECT_TRUE(status.ok()) << status;
  return {reply.messages().begin(), reply.messages().end()};
}

absl::Status MessengerPeer::Close() {
  MessengerCommand command;
  command.set_close(true);
  return Do(command);
}

void MessengerPeer::Begin(const MessengerCommand& command) {
  ControlRequest request;
  *request.mutable_messenger() = command;
  EXPECT_TRUE(process_.Send(request));
}

absl::Status MessengerPeer::End(ControlReply* reply) {
  ControlReply ignored;
  if (reply == nullptr) reply = &ignored;
  if (!process_.Receive(reply)) {
    return absl::UnavailableError("the child is gone");
  }
  return absl::Status(static_cast<absl::StatusCode>(reply->code()),
                      reply->message());
}

absl::Status MessengerPeer::Do(const MessengerCommand& command,
                               ControlReply* reply) {
  Begin(command);
  return End(reply);
}

MessengerCommand SendCommand(const std::string& to, const std::string& message,
                             int64_t start_ns) {
  MessengerCommand command;
  command.mutable_send()->set_to(to);
  command.mutable_send()->set_message(message);
  command.mutable_send()->set_start_ns(start_ns);
  return command;
}

MessengerCommand SendNumbersCommand(const std::string& to, int count) {
  MessengerCommand command;
  command.mutable_send()->set_to(to);
  command.mutable_send()->set_count(count);
  return command;
}

MessengerCommand ReceiveCommand(const std::string& from, int count) {
  MessengerCommand command;
  command.mutable_receive()->set_from(from);
  command.mutable_receive()->set_count(count);
  return command;
}

std::string NewName() {
  static std::atomic<int> last{0};
  return absl::StrFormat("messenger-%04d", ++last);
}

}  // namespace testing
}  // namespace grpc_shm
