// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/bridged_call.h"

#include <utility>

#include "transport/grpc/convert.h"

namespace grpc_shm {
void BridgedCall::ReadFromGrpc() {
  grpc_op op{};
  op.op = GRPC_OP_RECV_MESSAGE;
  op.data.recv_message.recv_message = &read_buffer_;
  read_.Start(shared_from_this(), grpc_call_, &op, 1);
}

void BridgedCall::OnRead(bool /*ok*/) {
  grpc_byte_buffer* const buffer = std::exchange(read_buffer_, nullptr);
  if (buffer == nullptr) {
    OnEndOfMessages();
    return;
  }
  OutgoingMessage message = ToOutgoing(buffer);
  const size_t bytes = message.size();
  {
    absl::MutexLock lock(&mu_);
    ++unsent_;
  }
  link_call()->SendMessage(std::move(message));
  FlushSoon();
  // Only now may OnSent read on, on another thread: messages keep their order.
  bool go_on;
  {
    absl::MutexLock lock(&mu_);
    go_on = MayRunAhead(unsent_, bytes);
    reading_paused_ = !go_on;
  }
  if (go_on) ReadFromGrpc();
}

void BridgedCall::OnSent() {
  bool go_on;
  {
    absl::MutexLock lock(&mu_);
    --unsent_;
    go_on = std::exchange(reading_paused_, false);
  }
  if (go_on) ReadFromGrpc();
}

void BridgedCall::FlushSoon() {
  {
    absl::MutexLock lock(&mu_);
    unsettled_ = true;
    if (std::exchange(settling_, true)) return;
  }
  // An empty batch completes at once, behind what is due already.
  settled_.Start(shared_from_this(), grpc_call_, nullptr, 0);
}

void BridgedCall::OnSettled(bool /*ok*/) {
  bool again;
  {
    absl::MutexLock lock(&mu_);
    again = std::exchange(unsettled_, false);
    settling_ = again;
  }
  if (again) {
    settled_.Start(shared_from_this(), grpc_call_, nullptr, 0);
  } else {
    link_call()->Flush();
  }
}

std::shared_ptr<Call> BridgedCall::link_call() {
  absl::MutexLock lock(&mu_);
  return link_call_;
}

}  // namespace grpc_shm
