// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_UNIT_MAILBOX_MADE_PARTS_H_
#define GRPC_SHM_TESTS_UNIT_MAILBOX_MADE_PARTS_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "transport/mailbox/mailbox_directory.h"
#include "transport/mailbox/mailbox_parts.h"
#include "transport/mailbox/mailbox_segment.h"

namespace grpc_shm::testing {

// A new mailbox named "test", without any participant; null, and the test has
// failed, if there can be none.
inline std::shared_ptr<MailboxParts> MakeParts(MailboxCapacity capacity,
                                               uint64_t max_message_bytes,
                                               uint64_t max_memory_bytes) {
  absl::StatusOr<MailboxDirectory> directory = MailboxDirectory::Make(kNoGroup);
  EXPECT_TRUE(directory.ok()) << directory.status();
  if (!directory.ok()) return nullptr;
  absl::StatusOr<MailboxGeometry> geometry =
      MailboxGeometry::Of(capacity, max_message_bytes, max_memory_bytes);
  EXPECT_TRUE(geometry.ok()) << geometry.status();
  if (!geometry.ok()) return nullptr;
  absl::StatusOr<MailboxSegment> segment =
      MailboxSegment::Create(*directory, "test", *geometry, 0600);
  EXPECT_TRUE(segment.ok()) << segment.status();
  if (!segment.ok()) return nullptr;
  return std::make_shared<MailboxParts>(*std::move(segment));
}

}  // namespace grpc_shm::testing

#endif  // GRPC_SHM_TESTS_UNIT_MAILBOX_MADE_PARTS_H_
