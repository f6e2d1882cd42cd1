// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/reply_address.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/link/temporary_rendezvous.h"
#include "transport/link/handshake.h"
#include "transport/memory/sealed_memfd.h"

namespace grpc_shm {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TemporaryRendezvous;

bool AwaitReadable(int fd) {
  pollfd one{fd, POLLIN, 0};
  return poll(&one, 1, 10'000) == 1;
}

class ReplyAddressTest : public ::testing::Test {
 protected:
  std::unique_ptr<ReplyAddress> Listen() {
    absl::StatusOr<std::unique_ptr<ReplyAddress>> reply =
        ReplyAddress::Listen(8);
    EXPECT_TRUE(reply.ok()) << reply.status();
    return *std::move(reply);
  }

  TemporaryRendezvous rendezvous_;
};

TEST_F(ReplyAddressTest, LeavesNothingBehind) {
  auto first = Listen();
  auto second = Listen();
  EXPECT_NE(first->path(), second->path());
  EXPECT_THAT(rendezvous_.Files(), SizeIs(2));
  struct stat info;
  ASSERT_EQ(stat(first->path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  first.reset();
  second.reset();
  EXPECT_THAT(rendezvous_.Files(), IsEmpty());
}

TEST_F(ReplyAddressTest, OfTheDeadIsRemovedByOthers) {
  auto reply = Listen();
  const std::string path = reply->path();
  EXPECT_TRUE(ReplyAddress::IsPath(path));
  EXPECT_FALSE(ReplyAddress::RemoveIfDead(path));
  EXPECT_THAT(rendezvous_.Files(), SizeIs(1));
  // As if its owner had been killed.
  ASSERT_EQ(link(path.c_str(), (path + "-saved").c_str()), 0);
  reply.reset();
  ASSERT_EQ(rename((path + "-saved").c_str(), path.c_str()), 0);
  EXPECT_TRUE(ReplyAddress::RemoveIfDead(path));
  EXPECT_THAT(rendezvous_.Files(), IsEmpty());
  EXPECT_TRUE(ReplyAddress::RemoveIfDead(path));
}

// Somebody may send any path.
TEST_F(ReplyAddressTest, NothingElseIsTouched) {
  const std::string file = rendezvous_.Path(".reply-1-2.sock");
  std::ofstream(file) << "precious";
  EXPECT_FALSE(ReplyAddress::RemoveIfDead(file));
  EXPECT_THAT(rendezvous_.Files(), SizeIs(1));
  for (const char* path : {"", "relative/.reply-1-2.sock", "/tmp/other.sock",
                           "/tmp/.reply-1", "/.reply-.sock/x"}) {
    EXPECT_FALSE(ReplyAddress::IsPath(path)) << path;
  }
  EXPECT_FALSE(
      ReplyAddress::IsPath("/" + std::string(200, 'x') + "/.reply-1.sock"));
  EXPECT_FALSE(ReplyAddress::IsPath(std::string("/a\0b/.reply-1-2.sock", 19)));
}

// A caller passes its board along with the link.
TEST_F(ReplyAddressTest, AWelcomeBringsTheBoard) {
  const auto reply = Listen();
  absl::StatusOr<UniqueFd> board = CreateSealedMemfd("board", 4096);
  ASSERT_TRUE(board.ok());
  absl::StatusOr<UniqueFd> connected =
      ConnectToPath(reply->path(), "jobs", LinkOptions());
  ASSERT_TRUE(connected.ok()) << connected.status();
  absl::StatusOr<UniqueFd> accepted = Accept(reply->fd());
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  ASSERT_TRUE(AwaitReadable(accepted->get()));
  const BoardPass pass{board->get(), 9};
  ASSERT_TRUE(
      AnswerHello(*std::move(accepted), "jobs", LinkOptions(), &pass).ok());
  ASSERT_TRUE(AwaitReadable(connected->get()));
  ReceivedBoard received;
  absl::StatusOr<std::unique_ptr<Link>> link =
      ReceiveWelcome(*std::move(connected), "jobs", LinkOptions(), &received);
  ASSERT_TRUE(link.ok()) << link.status();
  EXPECT_EQ(received.link, 9);
  EXPECT_TRUE(VerifySealedMemfd(received.board.get(), 4096).ok());
}

// One who wants a board gets it, or no link; and the other way round.
TEST_F(ReplyAddressTest, AWelcomeIsWhatWasAskedFor) {
  const auto reply = Listen();
  for (const bool sent : {false, true}) {
    absl::StatusOr<UniqueFd> connected =
        ConnectToPath(reply->path(), "jobs", LinkOptions());
    ASSERT_TRUE(connected.ok());
    absl::StatusOr<UniqueFd> accepted = Accept(reply->fd());
    ASSERT_TRUE(accepted.ok());
    ASSERT_TRUE(AwaitReadable(accepted->get()));
    absl::StatusOr<UniqueFd> board = CreateSealedMemfd("board", 4096);
    ASSERT_TRUE(board.ok());
    const BoardPass pass{board->get(), 9};
    const auto server = AnswerHello(*std::move(accepted), "jobs", LinkOptions(),
                                    sent ? &pass : nullptr);
    ASSERT_TRUE(AwaitReadable(connected->get()));
    ReceivedBoard received;
    EXPECT_EQ(ReceiveWelcome(*std::move(connected), "jobs", LinkOptions(),
                             sent ? nullptr : &received)
                  .status()
                  .code(),
              absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace grpc_shm
