// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/call/message_block.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/numeric/bits.h"
#include "transport/base/monotonic_clock.h"
#include "transport/base/mutex.h"
#include "transport/link/timeouts.h"

namespace grpc_shm {
namespace {

// In front of each block.
struct alignas(16) Head {
  size_t bytes;  // with this, all in all
};

constexpr int kMinLog = 16;
constexpr size_t kSizes = 16;  // up to 2 GiB; larger ones are not kept
static_assert(MessageBlock::kMinKept == size_t{1} << kMinLog);

// Which of the sizes that are kept; kSizes: none.
size_t SizeOf(size_t bytes) {
  if (bytes < MessageBlock::kMinKept) return kSizes;
  const auto log = static_cast<size_t>(absl::bit_width(bytes - 1));
  return log - kMinLog < kSizes ? log - kMinLog : kSizes;
}

// Never destroyed, as the reactor.
class Kept final : public Expirable, public std::enable_shared_from_this<Kept> {
 public:
  static Kept& Get() {
    static const auto* const kept =
        new std::shared_ptr<Kept>(std::make_shared<Kept>());
    return **kept;
  }

  Head* Take(size_t size) {
    MutexLock lock(&mu_);
    used_ = true;
    std::vector<Head*>& blocks = blocks_[size];
    if (blocks.empty()) return nullptr;
    Head* const head = blocks.back();
    blocks.pop_back();
    bytes_ -= head->bytes;
    return head;
  }

  // False if there are enough.
  bool Keep(Head* head, size_t size) {
    MutexLock lock(&mu_);
    used_ = true;
    std::vector<Head*>& blocks = blocks_[size];
    if (blocks.size() == MessageBlock::kMostOfOneSize ||
        head->bytes > MessageBlock::kMostKept - bytes_)
      return false;
    blocks.push_back(head);
    bytes_ += head->bytes;
    if (!watched_) Watch();
    return true;
  }

  std::string TakeString(size_t bytes) {
    MutexLock lock(&mu_);
    used_ = true;
    for (std::string& string : strings_) {
      const size_t capacity = string.capacity();
      if (capacity < bytes || capacity / 4 > bytes) continue;
      string.swap(strings_.back());
      std::string taken = std::move(strings_.back());
      strings_.pop_back();
      bytes_ -= capacity;
      return taken;
    }
    return std::string();
  }

  void KeepString(std::string string) {
    const size_t capacity = string.capacity();
    MutexLock lock(&mu_);
    used_ = true;
    if (strings_.size() == MessageBlock::kMostOfOneSize ||
        capacity > MessageBlock::kMostKept - bytes_)
      return;
    string.clear();
    strings_.push_back(std::move(string));
    bytes_ += capacity;
    if (!watched_) Watch();
  }

  size_t bytes() {
    MutexLock lock(&mu_);
    return bytes_;
  }

  void OnExpired() override {
    std::array<std::vector<Head*>, kSizes> unused;
    std::vector<std::string> unused_strings;
    {
      MutexLock lock(&mu_);
      watched_ = false;
      if (std::exchange(used_, false)) {
        Watch();
        return;
      }
      unused.swap(blocks_);
      unused_strings.swap(strings_);
      bytes_ = 0;
    }
    for (const std::vector<Head*>& blocks : unused) {
      for (Head* const head : blocks) std::free(head);
    }
  }

 private:
  void Watch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    watched_ = true;
    Timeouts::Get().Add(
        MonotonicNanos() + absl::ToInt64Nanoseconds(MessageBlock::kKeptFor),
        weak_from_this());
  }

  Mutex mu_;
  std::array<std::vector<Head*>, kSizes> blocks_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> strings_ ABSL_GUARDED_BY(mu_);
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool used_ ABSL_GUARDED_BY(mu_) = false;     // since the last look
  bool watched_ ABSL_GUARDED_BY(mu_) = false;  // another look is due
};

}  // namespace

std::byte* MessageBlock::Allocate(size_t bytes) {
  if (bytes > SIZE_MAX - sizeof(Head)) return nullptr;
  bytes += sizeof(Head);
  const size_t size = SizeOf(bytes);
  Head* head = size < kSizes ? Kept::Get().Take(size) : nullptr;
  if (head == nullptr) {
    if (size < kSizes) bytes = size_t{1} << (size + kMinLog);
    head = static_cast<Head*>(std::malloc(bytes));
    if (head == nullptr) return nullptr;
    head->bytes = bytes;
  }
  return reinterpret_cast<std::byte*>(head + 1);
}

void MessageBlock::Free(void* block) {
  if (block == nullptr) return;
  Head* const head = static_cast<Head*>(block) - 1;
  const size_t size = SizeOf(head->bytes);
  if (size == kSizes || !Kept::Get().Keep(head, size)) std::free(head);
}

std::string MessageBlock::TakeString(size_t bytes) {
  return Kept::Get().TakeString(bytes);
}

void MessageBlock::KeepString(std::string string) {
  if (string.capacity() >= kMinKept) Kept::Get().KeepString(std::move(string));
}

size_t MessageBlock::kept() { return Kept::Get().bytes(); }

}  // namespace grpc_shm
