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
#include "absl/strings/str_cat.h"
#include "examples/producer_consumer/buffer.h"
#include "transport/mailbox.h"

ABSL_FLAG(std::string, buffer, "mailbox:buffer", "where to put the items");
ABSL_FLAG(int, first, 1, "number of the first item");
ABSL_FLAG(int, count, 10, "how many items to make");

namespace {

absl::Status Put(grpc_shm::Mailbox& buffer, int item) {
  const std::string message = absl::StrCat(item);
  absl::Status status = buffer.TrySend(message);
  if (absl::IsUnavailable(status)) {
    // Trying first serves to say so: Send alone would do.
    std::cout << "the buffer is full, waits" << std::endl;
    status = buffer.Send(message);
  }
  if (status.ok()) std::cout << "puts " << item << std::endl;
  return status;
}

absl::Status Produce() {
  absl::StatusOr<std::unique_ptr<grpc_shm::Mailbox>> buffer =
      OpenBuffer(absl::GetFlag(FLAGS_buffer));
  if (!buffer.ok()) return buffer.status();
  for (int i = 0; i < absl::GetFlag(FLAGS_count); ++i) {
    const absl::Status status = Put(**buffer, absl::GetFlag(FLAGS_first) + i);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Puts items into a bounded buffer.");
  absl::ParseCommandLine(argc, argv);
  const absl::Status status = Produce();
  if (status.ok()) return 0;
  std::cerr << status << std::endl;
  return 1;
}
