// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/link_layout.h"

#include <cstddef>

#include "gtest/gtest.h"

namespace grpc_shm {
namespace {

TEST(LinkLayout, EveryByteIsWhereVersion1PutsIt) {
  ASSERT_EQ(kLinkLayoutVersion, 1u)
      << "a new version: write its offsets down here";
  const char* const advice =
      "the layout has changed: increment kLinkLayoutVersion, and mend "
      "docs/shared-memory-format.md with it";
  EXPECT_EQ(sizeof(LinkHeader), 128u) << advice;
  EXPECT_EQ(offsetof(LinkHeader, magic), 0u) << advice;
  EXPECT_EQ(offsetof(LinkHeader, version), 8u) << advice;
  EXPECT_EQ(offsetof(LinkHeader, header_bytes), 12u) << advice;
  EXPECT_EQ(offsetof(LinkHeader, ring_bytes), 16u) << advice;
  EXPECT_EQ(offsetof(LinkHeader, segment_bytes), 24u) << advice;
  EXPECT_EQ(sizeof(LinkControl), 1152u) << advice;
  EXPECT_EQ(offsetof(LinkControl, client_to_server), 128u) << advice;
  EXPECT_EQ(offsetof(LinkControl, server_to_client), 640u) << advice;
  EXPECT_EQ(sizeof(RingControl), 512u) << advice;
  EXPECT_EQ(offsetof(RingControl, tail), 0u) << advice;
  EXPECT_EQ(offsetof(RingControl, consumer_armed), 128u) << advice;
  EXPECT_EQ(offsetof(RingControl, head), 256u) << advice;
  EXPECT_EQ(offsetof(RingControl, producer_armed), 384u) << advice;
  EXPECT_EQ(sizeof(RecordHeader), 16u) << advice;
  EXPECT_EQ(ClientToServerDataOffset(4096), 4096u) << advice;
  EXPECT_EQ(ServerToClientDataOffset(4096, 65536), 69632u) << advice;
  EXPECT_EQ(SegmentBytes(4096, 65536), 135168u) << advice;
}

}  // namespace
}  // namespace grpc_shm
