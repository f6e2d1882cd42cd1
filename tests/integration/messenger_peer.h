// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_MESSENGER_PEER_H_
#define GRPC_SHM_TESTS_INTEGRATION_MESSENGER_PEER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/integration/child_process.h"
#include "tests/integration/control.pb.h"

namespace grpc_shm {
namespace testing {

// A messenger in a process of its own.
class MessengerPeer {
 public:
  MessengerPeer() : process_("messenger_process") {}

  absl::Status Open(const std::string& name, uint64_t inbox_messages = 0,
                    uint64_t max_message_bytes = 0);
  absl::Status Send(const std::string& to, const std::string& message);
  // Messages "0" to count-1.
  absl::Status SendNumbers(const std::string& to, int count);
  // The messages' data; fails the test if they don't come.
  std::vector<std::string> Receive(const std::string& from, int count = 1);
  std::vector<InboxMessage> ReceiveAny(int count);
  absl::Status Close();

  // The halves of Send, Receive and so on: it does something meanwhile.
  void Begin(const MessengerCommand& command);
  absl::Status End(ControlReply* reply = nullptr);

  ChildProcess& process() { return process_; }

 private:
  absl::Status Do(const MessengerCommand& command,
                  ControlReply* reply = nullptr);

  ChildProcess process_;
};

MessengerCommand SendCommand(const std::string& to, const std::string& message,
                             int64_t start_ns = 0);
MessengerCommand SendNumbersCommand(const std::string& to, int count);
MessengerCommand ReceiveCommand(const std::string& from, int count = 1);

// A name that no test has used before. Later ones are greater.
std::string NewName();

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_MESSENGER_PEER_H_
