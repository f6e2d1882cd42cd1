// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/stress/raw_messages.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "tests/integration/payload.h"

namespace grpc_shm {
namespace testing {

RawMessages::RawMessages(const std::string& address)
    : mailbox_(Mailbox::Open(address)) {}

absl::Status RawMessages::Exchange(uint32_t seed) {
  if (!mailbox_.ok()) return mailbox_.status();
  absl::StatusOr<Mailbox::Loan> loan =
      (*mailbox_)->TryLoanFor(sizeof(seed) + seed % (kMaxBytes - sizeof(seed)));
  if (loan.ok()) {
    const std::string payload = MakePayload(loan->size() - sizeof(seed), seed);
    std::memcpy(loan->data(), &seed, sizeof(seed));
    std::memcpy(loan->data() + sizeof(seed), payload.data(), payload.size());
    absl::Status sent = (*mailbox_)->TrySend(*std::move(loan));
    if (!sent.ok()) return sent;
  } else if (!absl::IsUnavailable(loan.status())) {  // it is not just full
    return loan.status();
  }
  return Receive(/*acknowledge=*/seed % 16 != 0);
}

absl::Status RawMessages::Receive(bool acknowledge) {
  absl::StatusOr<Mailbox::Message> message = (*mailbox_)->TryReceive();
  if (absl::IsUnavailable(message.status())) return absl::OkStatus();
  if (!message.ok()) return message.status();
  ++received_;
  uint32_t seed = 0;
  absl::string_view payload = message->view();
  if (payload.size() >= sizeof(seed)) {
    std::memcpy(&seed, payload.data(), sizeof(seed));
    payload.remove_prefix(sizeof(seed));
  }
  if (!IsPayload(payload, seed % (kMaxBytes - sizeof(seed)), seed)) {
    return absl::DataLossError(
        absl::StrCat("a message of ", message->size(), " bytes is wrong"));
  }
  if (acknowledge) message->Acknowledge();
  return absl::OkStatus();
}

}  // namespace testing
}  // namespace grpc_shm
