// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_CALL_MESSAGE_H_
#define GRPC_SHM_TRANSPORT_CALL_MESSAGE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "transport/call/message_block.h"
#include "transport/call/wire_body.h"

namespace grpc_shm {

// A received message, filled from the ring: one block of memory of its own. The
// value of one field may be apart from that, in a string, for who can use that
// without another copy. Move-only.
class ReceivedMessage {
 public:
  ReceivedMessage() = default;

  // Memory for `bytes` to fill; data() == nullptr if there is none.
  static ReceivedMessage Allocate(size_t bytes);

  // The same with the value of `body` apart.
  static ReceivedMessage AllocateWith(const WireBody& body, size_t bytes);

  // Appends the next `bytes`, not more than left().
  void Write(const std::byte* from, size_t bytes);
  size_t size() const { return size_; }
  size_t left() const { return size_ - filled_; }

  // The message, or what is beside the value that is apart: all other bytes, in
  // their order.
  std::byte* data() { return data_.get(); }

  // What is apart. Offsets are in the whole message.
  bool has_body() const { return body_ != nullptr; }
  const WireBody& body() const { return body_->at; }
  const std::string& body_value() const { return body_->value; }

  // Hands the block over to the caller, who frees it with MessageBlock::Free;
  // and the value.
  std::byte* Release() { return data_.release(); }
  std::string ReleaseBody() { return std::move(body_->value); }

 private:
  struct Free {
    void operator()(std::byte* block) const { MessageBlock::Free(block); }
  };
  struct Body {
    WireBody at;
    std::string value;
  };

  std::unique_ptr<std::byte, Free> data_;
  size_t size_ = 0;
  size_t filled_ = 0;
  std::unique_ptr<Body> body_;
};

// A message to send: pieces of memory, read once from front to back. They
// belong to `owner`, or are borrowed: then some are somebody else's, who must
// neither change nor free them before all is read, or Keep() has been called.
// Move-only.
class OutgoingMessage {
 public:
  using Piece = absl::Span<const std::byte>;
  using Owner = std::unique_ptr<void, void (*)(void*)>;

  OutgoingMessage(absl::InlinedVector<Piece, 2> pieces, Owner owner,
                  bool is_borrowed = false)
      : pieces_(std::move(pieces)),
        owner_(std::move(owner)),
        is_borrowed_(is_borrowed) {
    for (const Piece& piece : pieces_) size_ += piece.size();
    left_ = size_;
  }

  // A message of `bytes` in a block that MessageBlock gave, which it owns.
  static OutgoingMessage InBlock(std::byte* block, size_t bytes) {
    return OutgoingMessage({Piece(block, bytes)},
                           Owner(block, MessageBlock::Free));
  }

  OutgoingMessage(OutgoingMessage&&) = default;
  OutgoingMessage& operator=(OutgoingMessage&&) = default;

  // Bytes in the whole message, and how many of them have not been read yet.
  size_t size() const { return size_; }
  size_t left() const { return left_; }

  bool is_borrowed() const { return is_borrowed_; }

  // Copies the next `bytes` (at most left()) to `to`.
  void Read(std::byte* to, size_t bytes);

  // Makes the rest of a borrowed message its own. False: no memory.
  bool Keep();

 private:
  absl::InlinedVector<Piece, 2> pieces_;
  Owner owner_;
  bool is_borrowed_ = false;
  size_t size_ = 0;
  size_t left_ = 0;
  size_t piece_ = 0;  // where reading goes on
  size_t piece_offset_ = 0;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_CALL_MESSAGE_H_
