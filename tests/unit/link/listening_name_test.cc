// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/listening_name.h"

#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/link/process_resources.h"
#include "tests/unit/link/temporary_rendezvous.h"
#include "transport/link/name_lock.h"
#include "transport/link/socket_address.h"

namespace grpc_shm {
namespace {

using ::testing::AllOf;
using testing::ChildProcess;
using testing::Conversation;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ProcessResources;
using testing::TemporaryRendezvous;

constexpr int kBacklog = 8;

// Whether somebody accepts at `path`.
bool SomebodyListensAt(const std::string& path) {
  UniqueFd fd(
      socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const sockaddr_un address = SocketAddress(path);
  return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                 sizeof(address)) == 0;
}

class ListeningNameTest : public ::testing::Test {
 protected:
  TemporaryRendezvous temporary_;
};

TEST_F(ListeningNameTest, ANameListensUntilItIsDestroyed) {
  const ProcessResources before = ProcessResources::Now();
  {
    absl::StatusOr<std::unique_ptr<ListeningName>> name =
        ListeningName::Acquire("greeter", kBacklog);
    ASSERT_TRUE(name.ok()) << name.status();
    EXPECT_TRUE(SomebodyListensAt(temporary_.Path("greeter.sock")));
    EXPECT_THAT(temporary_.Files(),
                ElementsAre("greeter.lock", "greeter.sock"));
  }
  EXPECT_THAT(temporary_.Files(), ElementsAre("greeter.lock"));
  EXPECT_EQ(ProcessResources::Now(), before);
}

TEST_F(ListeningNameTest, TheSocketIsThisUsersAlone) {
  const mode_t before = umask(0);
  absl::StatusOr<std::unique_ptr<ListeningName>> name =
      ListeningName::Acquire("greeter", kBacklog);
  umask(before);
  ASSERT_TRUE(name.ok()) << name.status();
  for (const char* file : {"greeter.sock", "greeter.lock"}) {
    struct stat info;
    ASSERT_EQ(stat(temporary_.Path(file).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600u) << file;
  }
}

TEST_F(ListeningNameTest, TheSocketAppearsOnlyOnceItAccepts) {
  UniqueFd watch(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  ASSERT_GE(inotify_add_watch(watch.get(), temporary_.directory().c_str(),
                              IN_CREATE | IN_MOVED_TO),
            0);
  absl::StatusOr<std::unique_ptr<ListeningName>> name =
      ListeningName::Acquire("greeter", kBacklog);
  ASSERT_TRUE(name.ok()) << name.status();
  alignas(inotify_event) char buffer[4096];
  const ssize_t bytes = read(watch.get(), buffer, sizeof(buffer));
  std::vector<uint32_t> how;
  for (ssize_t at = 0; at < bytes;) {
    const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
    if (std::string(event->name) == "greeter.sock") how.push_back(event->mask);
    at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
  }
  EXPECT_THAT(how, ElementsAre(IN_MOVED_TO));
}

TEST_F(ListeningNameTest, AServedNameIsRefusedToTheSameProcess) {
  absl::StatusOr<std::unique_ptr<ListeningName>> first =
      ListeningName::Acquire("greeter", kBacklog);
  ASSERT_TRUE(first.ok()) << first.status();
  absl::StatusOr<std::unique_ptr<ListeningName>> second =
      ListeningName::Acquire("greeter", kBacklog);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()),
              AllOf(HasSubstr("shm:greeter"), HasSubstr("choose another name"),
                    HasSubstr(temporary_.Path("greeter.lock"))));
  EXPECT_TRUE(SomebodyListensAt(temporary_.Path("greeter.sock")));
  EXPECT_TRUE(ListeningName::Acquire("other", kBacklog).ok());
}

TEST_F(ListeningNameTest, AKilledServersNameIsTakenOverAtOnce) {
  ChildProcess server([](Conversation& parent) {
    absl::StatusOr<std::unique_ptr<ListeningName>> name =
        ListeningName::Acquire("greeter", kBacklog);
    parent.Say(name.ok() ? "serving" : "failed");
    parent.Hear();
  });
  ASSERT_EQ(server.conversation().Hear(), "serving");
  EXPECT_EQ(ListeningName::Acquire("greeter", kBacklog).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(SomebodyListensAt(temporary_.Path("greeter.sock")));
  server.Kill();
  EXPECT_THAT(temporary_.Files(), ElementsAre("greeter.lock", "greeter.sock"));
  absl::StatusOr<std::unique_ptr<ListeningName>> name =
      ListeningName::Acquire("greeter", kBacklog);
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_TRUE(SomebodyListensAt(temporary_.Path("greeter.sock")));
}

TEST_F(ListeningNameTest, WhatAServerLeftThatDiedWhileBindingIsNoObstacle) {
  std::ofstream(temporary_.Path("greeter.lock")) << "";
  struct stat lock;
  ASSERT_EQ(stat(temporary_.Path("greeter.lock").c_str(), &lock), 0);
  std::ofstream(temporary_.Path(absl::StrCat(".", absl::Hex(lock.st_ino))))
      << "left over";
  absl::StatusOr<std::unique_ptr<ListeningName>> name =
      ListeningName::Acquire("greeter", kBacklog);
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_THAT(temporary_.Files(), ElementsAre("greeter.lock", "greeter.sock"));
}

TEST_F(ListeningNameTest, AServerWhoseLockFileWasRemovedSparesItsSuccessor) {
  absl::StatusOr<std::unique_ptr<ListeningName>> first =
      ListeningName::Acquire("greeter", kBacklog);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(unlink(temporary_.Path("greeter.lock").c_str()), 0);
  absl::StatusOr<std::unique_ptr<ListeningName>> second =
      ListeningName::Acquire("greeter", kBacklog);
  ASSERT_TRUE(second.ok()) << second.status();
  first->reset();
  EXPECT_TRUE(SomebodyListensAt(temporary_.Path("greeter.sock")));
}

TEST_F(ListeningNameTest, AFailureToListenLeavesNothingBehind) {
  ASSERT_EQ(mkdir(temporary_.Path("greeter.sock").c_str(), 0700), 0);
  const ProcessResources before = ProcessResources::Now();
  absl::StatusOr<std::unique_ptr<ListeningName>> name =
      ListeningName::Acquire("greeter", kBacklog);
  EXPECT_FALSE(name.ok());
  EXPECT_THAT(std::string(name.status().message()), HasSubstr("shm:greeter"));
  EXPECT_THAT(temporary_.Files(), ElementsAre("greeter.lock", "greeter.sock"));
  EXPECT_EQ(ProcessResources::Now(), before);
}

TEST_F(ListeningNameTest, OfManyServersThatRaceForANameOneWins) {
  constexpr int kRounds = 20;
  constexpr int kServers = 8;
  for (int round = 0; round < kRounds; ++round) {
    // The last round's socket is stale now, and someone cleans it up as well.
    std::vector<std::unique_ptr<ChildProcess>> servers;
    for (int i = 0; i < kServers; ++i) {
      servers.push_back(
          std::make_unique<ChildProcess>([](Conversation& parent) {
            parent.Hear();
            ListeningName::RemoveStale("greeter");
            absl::StatusOr<std::unique_ptr<ListeningName>> name =
                ListeningName::Acquire("greeter", kBacklog);
            parent.Say(absl::StatusCodeToString(name.status().code()));
            parent.Hear();  // holds what it has until everybody has tried
            _exit(0);       // and then leaves the socket behind
          }));
    }
    for (auto& server : servers) server->conversation().Say("go");
    std::multiset<std::string> outcomes;
    for (auto& server : servers) {
      outcomes.insert(server->conversation().Hear());
    }
    EXPECT_EQ(outcomes.count("OK"), 1u);
    EXPECT_EQ(outcomes.count("ALREADY_EXISTS"), kServers - 1u);
    EXPECT_TRUE(SomebodyListensAt(temporary_.Path("greeter.sock")));
    for (auto& server : servers) server->conversation().Say("leave");
    for (auto& server : servers) EXPECT_EQ(server->Wait(), 0);
    if (HasFailure()) break;
  }
}

TEST_F(ListeningNameTest, CleaningUpRemovesWhatADeadServerLeft) {
  ChildProcess server([](Conversation& parent) {
    absl::StatusOr<std::unique_ptr<ListeningName>> name =
        ListeningName::Acquire("greeter", kBacklog);
    parent.Say("serving");
    parent.Hear();
  });
  ASSERT_EQ(server.conversation().Hear(), "serving");
  ListeningName::RemoveStale("greeter");
  EXPECT_TRUE(SomebodyListensAt(temporary_.Path("greeter.sock")));
  server.Kill();
  ListeningName::RemoveStale("greeter");
  EXPECT_THAT(temporary_.Files(), ElementsAre("greeter.lock"));
}

TEST_F(ListeningNameTest, CleaningUpAfterNobodyMakesNothing) {
  ListeningName::RemoveStale("greeter");
  EXPECT_THAT(temporary_.Files(), ElementsAre());
}

TEST_F(ListeningNameTest, ACleanerIsNotMistakenForAServer) {
  const std::string path = temporary_.Path("greeter.lock");
  { ASSERT_TRUE(NameLock::ToServe(path).ok()); }
  absl::StatusOr<NameLock> cleaner = NameLock::ToClean(path);
  ASSERT_TRUE(cleaner.ok()) << cleaner.status();
  EXPECT_TRUE(NameLock::ToClean(path).ok());
  EXPECT_EQ(ListeningName::Acquire("greeter", kBacklog).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(ListeningNameTest, ALockFileThatIsASymbolicLinkIsRefused) {
  ASSERT_EQ(symlink("elsewhere", temporary_.Path("greeter.lock").c_str()), 0);
  EXPECT_FALSE(ListeningName::Acquire("greeter", kBacklog).ok());
  EXPECT_THAT(temporary_.Files(), ElementsAre("greeter.lock"));
}

}  // namespace
}  // namespace grpc_shm
