// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/packet.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/unit/link/process_resources.h"

namespace grpc_shm {
namespace {

using testing::ProcessResources;

ino_t InodeOf(int fd) {
  struct stat info;
  EXPECT_EQ(fstat(fd, &info), 0);
  return info.st_ino;
}

class PacketTest : public ::testing::Test {
 protected:
  PacketTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    here_ = UniqueFd(ends[0]);
    there_ = UniqueFd(ends[1]);
    // Descriptors with names of their own to recognise them by.
    for (UniqueFd& fd : files_) {
      fd = UniqueFd(memfd_create("packet-test", MFD_CLOEXEC));
      raw_.push_back(fd.get());
    }
  }

  absl::Span<const int> Some(size_t count) const {
    return absl::MakeConstSpan(raw_).subspan(0, count);
  }

  UniqueFd here_;
  UniqueFd there_;
  UniqueFd files_[kMaxPacketDescriptors];
  std::vector<int> raw_;
};

TEST_F(PacketTest, BytesAndDescriptorsArriveInOrder) {
  ASSERT_TRUE(SendPacket(there_.get(), "first", Some(3)).ok());
  ASSERT_TRUE(SendPacket(there_.get(), "second").ok());
  absl::StatusOr<Packet> packet = ReceivePacket(here_.get(), 3);
  ASSERT_TRUE(packet.ok()) << packet.status();
  EXPECT_EQ(packet->bytes, "first");
  ASSERT_EQ(packet->descriptors.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const int fd = packet->descriptors[i].get();
    EXPECT_EQ(InodeOf(fd), InodeOf(raw_[i]));
    EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  }
  packet = ReceivePacket(here_.get(), 3);
  ASSERT_TRUE(packet.ok()) << packet.status();
  EXPECT_EQ(packet->bytes, "second");
  EXPECT_TRUE(packet->descriptors.empty());
}

TEST_F(PacketTest, SurplusDescriptorsNeverStay) {
  const ProcessResources before = ProcessResources::Now();
  for (size_t wanted = 0; wanted < kMaxPacketDescriptors; ++wanted) {
    for (size_t sent = wanted + 1; sent <= kMaxPacketDescriptors; ++sent) {
      ASSERT_TRUE(SendPacket(there_.get(), "text", Some(sent)).ok());
      EXPECT_EQ(ReceivePacket(here_.get(), wanted).status().code(),
                absl::StatusCode::kInvalidArgument)
          << sent << " for " << wanted;
    }
  }
  EXPECT_EQ(ProcessResources::Now(), before);
}

TEST_F(PacketTest, ThePacketMayBeFullButNotLonger) {
  const std::string full(kMaxPacketBytes, 'x');
  ASSERT_TRUE(SendPacket(there_.get(), full).ok());
  absl::StatusOr<Packet> packet = ReceivePacket(here_.get(), 0);
  ASSERT_TRUE(packet.ok()) << packet.status();
  EXPECT_EQ(packet->bytes, full);

  const std::string longer = full + "x";
  EXPECT_FALSE(SendPacket(there_.get(), longer).ok());
  ASSERT_GT(send(there_.get(), longer.data(), longer.size(), 0), 0);
  EXPECT_EQ(ReceivePacket(here_.get(), 0).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(PacketTest, AnEmptyPacketIsNotAHangUp) {
  ASSERT_EQ(send(there_.get(), "", 0, 0), 0);
  EXPECT_EQ(ReceivePacket(here_.get(), 0).status().code(),
            absl::StatusCode::kInvalidArgument);
  there_.reset();
  EXPECT_EQ(ReceivePacket(here_.get(), 0).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(SendPacket(here_.get(), "text").code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(PacketTest, NothingToReceiveIsSaidWithoutWaiting) {
  EXPECT_EQ(ReceivePacket(here_.get(), 0).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(PacketTest, AFullSocketIsSaidWithoutWaiting) {
  absl::Status status;
  for (int i = 0; i < 100000 && status.ok(); ++i) {
    status = SendPacket(there_.get(), "text");
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(PacketTest, LastWordsSurviveAReset) {
  // Unread data at the time of close() resets the connection.
  ASSERT_TRUE(SendPacket(here_.get(), "never read").ok());
  ASSERT_TRUE(SendPacket(there_.get(), "last words").ok());
  there_.reset();
  absl::StatusOr<Packet> packet = ReceivePacket(here_.get(), 0);
  ASSERT_TRUE(packet.ok()) << packet.status();
  EXPECT_EQ(packet->bytes, "last words");
  EXPECT_EQ(ReceivePacket(here_.get(), 0).status().code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace grpc_shm
