// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <iostream>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/producer_consumer/buffer.h"
#include "transport/mailbox.h"

ABSL_FLAG(std::string, buffer, "mailbox:buffer", "where to take items from");
ABSL_FLAG(int, count, 10, "how many items to take");
ABSL_FLAG(bool, destroy, false, "destroys the buffer afterwards");

namespace {

absl::Status Take(grpc_shm::Mailbox& buffer) {
  absl::StatusOr<grpc_shm::Mailbox::Message> item = buffer.TryReceive();
  if (absl::IsUnavailable(item.status())) {
    // Trying first serves to say so: Receive alone would do.
    std::cout << "the buffer is empty, waits" << std::endl;
    item = buffer.Receive();
  }
  if (!item.ok()) return item.status();
  std::cout << "takes " << item->view() << std::endl;
  // Until here, the item would go to another consumer if this one died.
  item->Acknowledge();
  return absl::OkStatus();
}

absl::Status Consume() {
  absl::StatusOr<std::unique_ptr<grpc_shm::Mailbox>> buffer =
      OpenBuffer(absl::GetFlag(FLAGS_buffer));
  if (!buffer.ok()) return buffer.status();
  for (int i = 0; i < absl::GetFlag(FLAGS_count); ++i) {
    const absl::Status status = Take(**buffer);
    if (!status.ok()) return status;
  }
  if (!absl::GetFlag(FLAGS_destroy)) return absl::OkStatus();
  return grpc_shm::Mailbox::Destroy(absl::GetFlag(FLAGS_buffer));
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Takes items out of a bounded buffer.");
  absl::ParseCommandLine(argc, argv);
  const absl::Status status = Consume();
  if (status.ok()) return 0;
  std::cerr << status << std::endl;
  return 1;
}
