// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_STRESS_RAW_MESSAGES_H_
#define GRPC_SHM_TESTS_STRESS_RAW_MESSAGES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "transport/mailbox.h"

namespace grpc_shm {
namespace testing {

// Messages that verify themselves, in a mailbox that others use as well and die
// at. One thread.
class RawMessages {
 public:
  static constexpr size_t kMaxBytes = 8192;

  // Of a bounded mailbox for messages of kMaxBytes, which must exist.
  explicit RawMessages(const std::string& address);

  // Sends a message if there is room, and receives one if there is any. Not
  // every one is acknowledged: some come back. Not OK: what must not be.
  absl::Status Exchange(uint32_t seed);
  // Receives one if there is any.
  absl::Status Receive(bool acknowledge);

  int64_t received() const { return received_; }

 private:
  absl::StatusOr<std::unique_ptr<Mailbox>> mailbox_;
  int64_t received_ = 0;
};

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_STRESS_RAW_MESSAGES_H_
