// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/call/message.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace grpc_shm {

ReceivedMessage ReceivedMessage::Allocate(size_t bytes) {
  ReceivedMessage message;
  message.data_.reset(MessageBlock::Allocate(bytes));
  message.size_ = bytes;
  return message;
}

ReceivedMessage ReceivedMessage::AllocateWith(const WireBody& body,
                                              size_t bytes) {
  auto apart = std::make_unique<Body>();
  apart->at = body;
  apart->value = MessageBlock::TakeString(body.size);
  try {
    apart->value.reserve(body.size);
  } catch (const std::bad_alloc&) {
    return ReceivedMessage();
  }
  ReceivedMessage message = Allocate(bytes - body.size);
  message.size_ = bytes;
  message.body_ = std::move(apart);
  return message;
}

void ReceivedMessage::Write(const std::byte* from, size_t bytes) {
  // The parts of the message: where each ends, and where that one goes.
  const size_t value = body_ != nullptr ? body_->at.value : size_;
  const size_t behind = body_ != nullptr ? value + body_->at.size : size_;
  while (bytes > 0) {
    size_t some = bytes;
    if (filled_ < value) {
      some = std::min(some, value - filled_);
      std::memcpy(data_.get() + filled_, from, some);
    } else if (filled_ < behind) {
      some = std::min(some, behind - filled_);
      body_->value.append(reinterpret_cast<const char*>(from), some);
    } else {
      std::memcpy(data_.get() + filled_ - (behind - value), from, some);
    }
    from += some;
    bytes -= some;
    filled_ += some;
  }
}

void OutgoingMessage::Read(std::byte* to, size_t bytes) {
  left_ -= bytes;
  while (bytes > 0) {
    const Piece& piece = pieces_[piece_];
    const size_t part = std::min(bytes, piece.size() - piece_offset_);
    std::memcpy(to, piece.data() + piece_offset_, part);
    to += part;
    bytes -= part;
    piece_offset_ += part;
    if (piece_offset_ == piece.size()) {
      ++piece_;
      piece_offset_ = 0;
    }
  }
}

bool OutgoingMessage::Keep() {
  if (!is_borrowed_) return true;
  const size_t size = size_;
  const size_t rest = left_;
  std::byte* const block = MessageBlock::Allocate(rest);
  if (block == nullptr) return false;
  Read(block, rest);
  *this = InBlock(block, rest);
  size_ = size;  // of the whole message, as before
  return true;
}

}  // namespace grpc_shm
