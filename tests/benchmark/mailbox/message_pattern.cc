// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/mailbox/message_pattern.h"

#include <algorithm>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace grpc_shm::bench::mailbox {
namespace {

constexpr size_t kStampBytes = sizeof(uint64_t);

// One step of the SplitMix64 generator (Steele, Lea, Flood: "Fast Splittable
// Pseudorandom Number Generators", 2014).
uint64_t Mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// Of the stamp at byte `at`.
uint64_t Stamp(const MessageId& id, size_t at) {
  return Mix(id.sequence ^ Mix(id.sender ^ (uint64_t{at} << 8)));
}

bool HasStamp(const char* data, const MessageId& id, size_t at) {
  const uint64_t stamp = Stamp(id, at);
  return std::memcmp(data + at, &stamp, kStampBytes) == 0;
}

// Calls `stamp(at, from)` for each stamp: it is at byte `at`, and the pattern's
// bytes begin at `from` behind the stamp before it.
template <class Function>
bool ForEachStamp(size_t bytes, MessagePattern::Extent extent, Function stamp) {
  size_t from = sizeof(MessageId);
  if (extent == MessagePattern::Extent::kAll) {
    for (size_t at = MessagePattern::kBlockBytes; at + 2 * kStampBytes <= bytes;
         at += MessagePattern::kBlockBytes) {
      if (!stamp(at, from)) return false;
      from = at + kStampBytes;
    }
  }
  return stamp(bytes - kStampBytes, from);
}

}  // namespace

MessagePattern::MessagePattern(size_t bytes, Extent extent)
    : pattern_(std::max(bytes, kMinBytes), '\0'), extent_(extent) {
  for (size_t at = 0; at < pattern_.size(); at += sizeof(uint64_t)) {
    const uint64_t value = Mix(at);
    std::memcpy(&pattern_[at], &value,
                std::min(sizeof(value), pattern_.size() - at));
  }
}

void MessagePattern::Write(const MessageId& id, char* data) const {
  if (extent_ == Extent::kAll)
    std::memcpy(data, pattern_.data(), pattern_.size());
  std::memcpy(data, &id, sizeof(id));
  ForEachStamp(pattern_.size(), extent_, [&](size_t at, size_t) {
    const uint64_t stamp = Stamp(id, at);
    std::memcpy(data + at, &stamp, kStampBytes);
    return true;
  });
}

absl::StatusOr<MessageId> MessagePattern::Read(
    absl::string_view message) const {
  if (message.size() != pattern_.size()) {
    return absl::DataLossError(absl::StrCat("a message has ", message.size(),
                                            " bytes instead of ",
                                            pattern_.size()));
  }
  MessageId id;
  std::memcpy(&id, message.data(), sizeof(id));
  const bool right =
      ForEachStamp(message.size(), extent_, [&](size_t at, size_t from) {
        return HasStamp(message.data(), id, at) &&
               (extent_ == Extent::kEnds ||
                std::memcmp(message.data() + from, &pattern_[from],
                            at - from) == 0);
      });
  if (right) return id;
  return absl::DataLossError(
      absl::StrCat("message ", id.sequence, " of sender ", id.sender, ", ",
                   message.size(), " bytes, is damaged"));
}

}  // namespace grpc_shm::bench::mailbox
