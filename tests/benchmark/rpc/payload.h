// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_PAYLOAD_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_PAYLOAD_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace grpc_shm::bench {

// Makes and checks the contents of messages of one size: pseudo-random bytes in
// which every block of kBlockBytes starts with a stamp made of the message's
// sequence number and the block's number. So a message that is cut, stale, out
// of order, or put together from pieces in the wrong places is found.
//
// Thread-compatible; each measuring thread has its own.
class PayloadPattern {
 public:
  static constexpr size_t kBlockBytes = 4096;

  explicit PayloadPattern(size_t bytes);

  // Makes `data` message number `sequence`. Cheap when `data` is an earlier
  // message: only the stamps are written.
  void Write(uint64_t sequence, std::string* data) const;

  // OK, or DATA_LOSS that says what is wrong where. Reads every byte of `data`.
  absl::Status Verify(uint64_t sequence, absl::string_view data) const;

  size_t bytes() const { return pattern_.size(); }

 private:
  std::string pattern_;
};

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_PAYLOAD_H_
