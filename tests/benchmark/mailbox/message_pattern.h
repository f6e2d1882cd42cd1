// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_MAILBOX_MESSAGE_PATTERN_H_
#define GRPC_SHM_TESTS_BENCHMARK_MAILBOX_MESSAGE_PATTERN_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace grpc_shm::bench::mailbox {

// Which message it is: what its bytes say.
struct MessageId {
  uint64_t sender = 0;
  uint64_t sequence = 0;

  bool operator==(const MessageId& other) const {
    return sender == other.sender && sequence == other.sequence;
  }
};

// Makes and checks the contents of messages of one size: the message's id, then
// pseudo-random bytes in which every block of kBlockBytes and the end have a
// stamp made of the id and the place. A message that is cut, stale, or put
// together from pieces of several is found.
//
// Thread-compatible.
class MessagePattern {
 public:
  static constexpr size_t kBlockBytes = 4096;
  static constexpr size_t kMinBytes = 32;

  // What is written and checked.
  enum class Extent {
    kAll,   // every byte
    kEnds,  // the id and the stamp at the end: the work does not depend on the
            // size
  };

  // `bytes`: kMinBytes at least.
  explicit MessagePattern(size_t bytes, Extent extent = Extent::kAll);

  // Writes the message to `data`, which has room for bytes().
  void Write(const MessageId& id, char* data) const;

  // The id, or DATA_LOSS with what is wrong.
  absl::StatusOr<MessageId> Read(absl::string_view message) const;

  size_t bytes() const { return pattern_.size(); }

 private:
  std::string pattern_;
  Extent extent_;
};

}  // namespace grpc_shm::bench::mailbox

#endif  // GRPC_SHM_TESTS_BENCHMARK_MAILBOX_MESSAGE_PATTERN_H_
