// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/sent_message.h"

#include <climits>
#include <cstddef>
#include <cstdint>

#include "google/protobuf/message_lite.h"
#include "transport/call/message_block.h"
#include "transport/grpc/convert.h"
#include "transport/grpc/grpc_access.h"

namespace grpc_shm {

OutgoingMessage TakeSent(grpc::experimental::InterceptorBatchMethods* methods) {
  const google::protobuf::MessageLite* const message = SentProtobuf(methods);
  if (message != nullptr && message->IsInitialized()) {
    const size_t bytes = message->ByteSizeLong();
    std::byte* const block =
        bytes <= INT_MAX ? MessageBlock::Allocate(bytes) : nullptr;
    if (block != nullptr) {
      message->SerializeWithCachedSizesToArray(
          reinterpret_cast<uint8_t*>(block));
      return OutgoingMessage({OutgoingMessage::Piece(block, bytes)},
                             OutgoingMessage::Owner(block, MessageBlock::Free));
    }
  }
  return ToOutgoing(
      ByteBufferAccess::Release(methods->GetSerializedSendMessage()));
}

}  // namespace grpc_shm
