// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/name_holder.h"

#include <unistd.h>

#include <memory>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/link/process_resources.h"
#include "tests/unit/link/temporary_rendezvous.h"
#include "transport/link/listening_name.h"

namespace grpc_shm {
namespace {

using testing::ChildProcess;
using testing::Conversation;
using testing::ProcessResources;
using testing::TemporaryRendezvous;

constexpr int kBacklog = 8;

class NameHolderTest : public ::testing::Test {
 protected:
  TemporaryRendezvous temporary_;
};

TEST_F(NameHolderTest, IsTheProcessThatListens) {
  ChildProcess server([](Conversation& parent) {
    absl::StatusOr<std::unique_ptr<ListeningName>> name =
        ListeningName::Acquire("greeter", kBacklog);
    parent.Say(name.ok() ? "serving" : "failed");
    parent.Hear();
  });
  ASSERT_EQ(server.conversation().Hear(), "serving");
  absl::StatusOr<PeerCredentials> holder = NameHolder("greeter");
  ASSERT_TRUE(holder.ok()) << holder.status();
  EXPECT_EQ(holder->pid, server.pid());
  EXPECT_EQ(holder->uid, geteuid());
}

TEST_F(NameHolderTest, MayBeTheAskingProcess) {
  absl::StatusOr<std::unique_ptr<ListeningName>> name =
      ListeningName::Acquire("greeter", kBacklog);
  ASSERT_TRUE(name.ok()) << name.status();
  absl::StatusOr<PeerCredentials> holder = NameHolder("greeter");
  ASSERT_TRUE(holder.ok()) << holder.status();
  EXPECT_EQ(holder->pid, getpid());
}

TEST_F(NameHolderTest, IsNobodyWhenNobodyListens) {
  EXPECT_EQ(NameHolder("greeter").status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(NameHolderTest, IsNobodyOnceTheProcessIsKilled) {
  ChildProcess server([](Conversation& parent) {
    absl::StatusOr<std::unique_ptr<ListeningName>> name =
        ListeningName::Acquire("greeter", kBacklog);
    parent.Say(name.ok() ? "serving" : "failed");
    parent.Hear();
  });
  ASSERT_EQ(server.conversation().Hear(), "serving");
  server.Kill();
  EXPECT_EQ(NameHolder("greeter").status().code(),
            absl::StatusCode::kUnavailable);
}

// Nobody accepts here: a holder that is busy or stopped delays nobody.
TEST_F(NameHolderTest, AskingNeverWaitsAndKeepsNothing) {
  absl::StatusOr<std::unique_ptr<ListeningName>> name =
      ListeningName::Acquire("greeter", /*backlog=*/1);
  ASSERT_TRUE(name.ok()) << name.status();
  const ProcessResources before = ProcessResources::Now();
  absl::Status last;
  for (int i = 0; i < 10 && last.ok(); ++i) {
    last = NameHolder("greeter").status();
  }
  EXPECT_EQ(last.code(), absl::StatusCode::kUnavailable) << last;
  EXPECT_EQ(ProcessResources::Now(), before);
}

}  // namespace
}  // namespace grpc_shm
