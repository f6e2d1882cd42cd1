// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/call/message.h"

#include <algorithm>
#include <cstring>

namespace grpc_shm {

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
