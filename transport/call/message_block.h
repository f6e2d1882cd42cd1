// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_CALL_MESSAGE_BLOCK_H_
#define GRPC_SHM_TRANSPORT_CALL_MESSAGE_BLOCK_H_

#include <cstddef>
#include <string>

#include "absl/time/time.h"

namespace grpc_shm {

// Memory for one message each. Large blocks are kept for the next message
// instead of being given back to the system: to get memory from it means a page
// fault for each page (some 0.3 us for 4 KiB, which is what copying 4 KiB
// takes), and what was used last is in the cache.
//
// What is kept is freed when no large message has been sent or received for
// kKeptFor. Threads: any.
class MessageBlock {
 public:
  // Blocks from this size on are kept, in bytes.
  static constexpr size_t kMinKept = size_t{64} << 10;
  // As many bytes in all, strings, and blocks of one size (blocks come in
  // powers of two, of which the upper half takes no memory until it is used).
  // Raising them serves more, and larger, messages at one time; costs as much
  // memory while there is traffic. Enough for two messages of 32 MiB.
  static constexpr size_t kMostKept = size_t{64} << 20;
  static constexpr size_t kMostOfOneSize = 8;
  static constexpr absl::Duration kKeptFor = absl::Seconds(1);

  MessageBlock() = delete;

  // `bytes` bytes, aligned to 16; null if there is no memory.
  static std::byte* Allocate(size_t bytes);

  // Gives back what Allocate gave. Nothing if null.
  static void Free(void* block);

  // The same for memory that is to be a string's, which applications get: an
  // empty string that has been kept, of a capacity of `bytes` to four times as
  // many, or any empty one.
  static std::string TakeString(size_t bytes);
  static void KeepString(std::string string);

  // Bytes that are kept at this moment.
  static size_t kept();
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_CALL_MESSAGE_BLOCK_H_
