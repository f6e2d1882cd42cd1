// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/sent_message.h"

#include <algorithm>
#include <array>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream.h"
#include "google/protobuf/message_lite.h"
#include "transport/call/message_block.h"
#include "transport/grpc/convert.h"
#include "transport/grpc/grpc_access.h"

namespace grpc_shm {
namespace {

using google::protobuf::MessageLite;
using google::protobuf::io::CodedOutputStream;

// From this size on, in bytes, a message's strings are sent from where they
// are.
constexpr size_t kMinBorrowed = MessageBlock::kMinKept;

// Takes the pieces of a message of `bytes` from protobuf: what it writes, and
// large strings, which it does not copy.
class PieceStream final : public google::protobuf::io::ZeroCopyOutputStream {
 public:
  explicit PieceStream(size_t bytes) : bytes_(static_cast<int64_t>(bytes)) {}

  bool Next(void** data, int* size) override {
    if (room_.empty()) {
      // As much as may come, and a bit, since it asks before it knows.
      const size_t bytes =
          static_cast<size_t>(std::max<int64_t>(bytes_ - count_, 0)) +
          kChunkBytes;
      std::byte* const block = MessageBlock::Allocate(bytes);
      if (block == nullptr) return false;
      memory_->blocks.emplace_back(block, MessageBlock::Free);
      room_ = absl::MakeSpan(block, bytes);
    }
    const absl::Span<std::byte> chunk =
        room_.first(std::min(room_.size(), kChunkBytes));
    room_.remove_prefix(chunk.size());
    *data = chunk.data();
    *size = static_cast<int>(chunk.size());
    Add(chunk);
    return true;
  }

  void BackUp(int count) override {
    const auto bytes = static_cast<size_t>(count);
    pieces_.back().remove_suffix(bytes);
    if (pieces_.back().empty()) pieces_.pop_back();
    room_ = absl::MakeSpan(room_.data() - bytes, room_.size() + bytes);
    count_ -= count;
  }

  int64_t ByteCount() const override { return count_; }
  bool AllowsAliasing() const override { return true; }

  bool WriteAliasedRaw(const void* data, int size) override {
    Add({static_cast<const std::byte*>(data), static_cast<size_t>(size)});
    return true;
  }

  OutgoingMessage Finish() {
    return OutgoingMessage(
        std::move(pieces_),
        OutgoingMessage::Owner(
            memory_.release(),
            [](void* memory) { delete static_cast<Memory*>(memory); }),
        /*is_borrowed=*/true);
  }

 private:
  // So large are the parts in which protobuf gets memory, and the strings that
  // it does not copy at least: a string that fits into the rest of one is.
  static constexpr size_t kChunkBytes = 4096;

  // Most messages have little besides their strings.
  struct Memory {
    std::array<std::byte, 256> first;
    std::vector<std::unique_ptr<void, void (*)(void*)>> blocks;
  };

  void Add(OutgoingMessage::Piece piece) {
    count_ += static_cast<int64_t>(piece.size());
    if (!pieces_.empty() &&
        pieces_.back().data() + pieces_.back().size() == piece.data()) {
      piece = {pieces_.back().data(), pieces_.back().size() + piece.size()};
      pieces_.pop_back();
    }
    pieces_.push_back(piece);
  }

  std::unique_ptr<Memory> memory_ = std::make_unique<Memory>();
  absl::Span<std::byte> room_ = absl::MakeSpan(memory_->first);
  absl::InlinedVector<OutgoingMessage::Piece, 2> pieces_;
  const int64_t bytes_;
  int64_t count_ = 0;
};

// Of a message whose size is cached; null if there is no memory.
absl::optional<OutgoingMessage> Borrow(const MessageLite& message,
                                       size_t bytes) {
  PieceStream stream(bytes);
  {
    CodedOutputStream coded(&stream);
    coded.EnableAliasing(true);
    message.SerializeWithCachedSizes(&coded);
    if (coded.HadError()) return absl::nullopt;
  }
  if (static_cast<size_t>(stream.ByteCount()) != bytes) return absl::nullopt;
  return stream.Finish();
}

}  // namespace

absl::optional<OutgoingMessage> Serialize(const MessageLite& message,
                                          bool may_borrow) {
  if (!message.IsInitialized()) return absl::nullopt;
  const size_t bytes = message.ByteSizeLong();
  if (bytes > INT_MAX) return absl::nullopt;
  if (may_borrow && bytes >= kMinBorrowed) return Borrow(message, bytes);
  std::byte* const block = MessageBlock::Allocate(bytes);
  if (block == nullptr) return absl::nullopt;
  message.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(block));
  return OutgoingMessage::InBlock(block, bytes);
}

OutgoingMessage TakeSent(grpc::experimental::InterceptorBatchMethods* methods,
                         bool may_borrow) {
  if (const MessageLite* const message = SentProtobuf(methods)) {
    if (absl::optional<OutgoingMessage> serialized =
            Serialize(*message, may_borrow))
      return *std::move(serialized);
  }
  return ToOutgoing(
      ByteBufferAccess::Release(methods->GetSerializedSendMessage()));
}

}  // namespace grpc_shm
