// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A rendezvous directory that other users may search: what it has to be like,
// and what they can do in it.

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/link/other_user.h"
#include "tests/unit/link/temporary_rendezvous.h"
#include "transport/link/listening_name.h"
#include "transport/link/rendezvous.h"
#include "transport/link/socket_address.h"

namespace grpc_shm {
namespace {

using ::testing::AllOf;
using testing::Become;
using testing::CanBecomeOthers;
using testing::ChildProcess;
using testing::Conversation;
using ::testing::HasSubstr;
using testing::kAlice;
using testing::kBob;
using testing::TemporaryRendezvous;

RendezvousOptions Shared(const std::string& directory,
                         std::vector<uid_t> owners = {}) {
  RendezvousOptions options;
  options.directory = directory;
  options.shared = true;
  options.owners = std::move(owners);
  return options;
}

class SharedRendezvousTest : public ::testing::Test {
 protected:
  SharedRendezvousTest() {
    EXPECT_EQ(mkdir(directory_.c_str(), 0700), 0);
    EXPECT_EQ(chmod(temporary_.directory().c_str(), 0755), 0);
  }

  absl::Status OpenWithMode(mode_t mode) {
    EXPECT_EQ(chmod(directory_.c_str(), mode), 0);
    return Rendezvous::Open(Shared(directory_)).status();
  }

  TemporaryRendezvous temporary_;
  const std::string directory_ = temporary_.Path("shared");
};

TEST_F(SharedRendezvousTest, OthersMaySearchAndReadIt) {
  for (mode_t mode : {0700, 0710, 0750, 0711, 0755}) {
    const absl::Status status = OpenWithMode(mode);
    EXPECT_TRUE(status.ok()) << std::oct << mode << ": " << status;
  }
}

TEST_F(SharedRendezvousTest, OthersMustNotWriteInIt) {
  for (mode_t mode : {0720, 0702, 0722, 0775, 0777, 01777}) {
    const absl::Status status = OpenWithMode(mode);
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied)
        << std::oct << mode;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(directory_),
                      HasSubstr("lets other users write in it")));
  }
}

TEST_F(SharedRendezvousTest, ItIsSharedOnlyByThoseWhoMeanIt) {
  ASSERT_EQ(chmod(directory_.c_str(), 0711), 0);
  RendezvousOptions options;
  options.directory = directory_;
  EXPECT_EQ(Rendezvous::Open(options).status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(SharedRendezvousTest, ItIsNotMade) {
  const std::string missing = temporary_.Path("missing");
  const absl::Status status = Rendezvous::Open(Shared(missing)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(missing));
  EXPECT_NE(access(missing.c_str(), F_OK), 0);
}

TEST_F(SharedRendezvousTest, ASymbolicLinkIsRefused) {
  const std::string link = temporary_.Path("link");
  ASSERT_EQ(symlink("shared", link.c_str()), 0);
  EXPECT_EQ(Rendezvous::Open(Shared(link)).status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(SharedRendezvousTest, OnlyThisUserAndThoseNamedMayOwnIt) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give a directory away";
  ASSERT_EQ(chown(directory_.c_str(), kBob, kBob), 0);
  ASSERT_EQ(chmod(directory_.c_str(), 0711), 0);
  EXPECT_TRUE(Rendezvous::Open(Shared(directory_, {kAlice, kBob})).ok());
  for (const auto& options :
       {Shared(directory_), Shared(directory_, {kAlice})}) {
    EXPECT_EQ(Rendezvous::Open(options).status().code(),
              absl::StatusCode::kPermissionDenied);
  }
}

// In a directory that anybody may write in, anybody may rename this one and put
// another in its place, whomever it belongs to. The sticky bit forbids that.
TEST_F(SharedRendezvousTest, WhatEverybodyMayReplaceIsRefused) {
  for (const bool shared : {true, false}) {
    RendezvousOptions options = Shared(directory_);
    options.shared = shared;
    ASSERT_EQ(chmod(temporary_.directory().c_str(), 0777), 0);
    const absl::Status status = Rendezvous::Open(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("everybody may replace it"));
    ASSERT_EQ(chmod(temporary_.directory().c_str(), 01777), 0);
    EXPECT_TRUE(Rendezvous::Open(options).ok());
  }
}

TEST_F(SharedRendezvousTest, TheSocketIsForOthersAndTheLockIsNot) {
  for (const mode_t mask : {0, 077}) {
    const mode_t before = umask(mask);
    absl::StatusOr<std::unique_ptr<ListeningName>> name =
        ListeningName::Acquire("greeter", 1, Shared(directory_));
    umask(before);
    ASSERT_TRUE(name.ok()) << name.status();
    struct stat info;
    ASSERT_EQ(stat((directory_ + "/greeter.sock").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0666u);
    ASSERT_EQ(stat((directory_ + "/greeter.lock").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600u);
  }
}

// What Bob can do in root's directory, besides to connect.
TEST_F(SharedRendezvousTest, OthersCanOnlyConnect) {
  if (!CanBecomeOthers()) GTEST_SKIP() << "needs root to become other users";
  ASSERT_EQ(chmod(directory_.c_str(), 0711), 0);
  absl::StatusOr<std::unique_ptr<ListeningName>> name =
      ListeningName::Acquire("greeter", 8, Shared(directory_));
  ASSERT_TRUE(name.ok()) << name.status();
  ChildProcess bob([this](Conversation&) {
    ASSERT_TRUE(Become(kBob));
    const std::string socket_path = directory_ + "/greeter.sock";
    const std::string lock_path = directory_ + "/greeter.lock";
    const std::string own_path = directory_ + "/bobs";
    // Sees no names; cannot even be told when there are new ones.
    EXPECT_EQ(opendir(directory_.c_str()), nullptr);
    const UniqueFd watch(inotify_init1(IN_CLOEXEC));
    EXPECT_EQ(inotify_add_watch(watch.get(), directory_.c_str(), IN_MOVED_TO),
              -1);
    // Cannot hold a name, nor keep its server from it.
    EXPECT_EQ(open(lock_path.c_str(), O_RDONLY | O_CLOEXEC), -1);
    EXPECT_EQ(open(lock_path.c_str(), O_RDWR | O_CLOEXEC), -1);
    EXPECT_FALSE(ListeningName::Acquire("greeter", 1, Shared(directory_)).ok());
    EXPECT_FALSE(
        ListeningName::RemoveStale("greeter", Shared(directory_, {0})));
    // Cannot take anything away, nor put anything there.
    EXPECT_EQ(unlink(socket_path.c_str()), -1);
    EXPECT_EQ(unlink(lock_path.c_str()), -1);
    EXPECT_EQ(rename(socket_path.c_str(), own_path.c_str()), -1);
    EXPECT_EQ(symlink("/", own_path.c_str()), -1);
    EXPECT_EQ(link(socket_path.c_str(), temporary_.Path("bobs").c_str()), -1);
    const UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address = SocketAddress(own_path);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof(address)),
              -1);
    EXPECT_EQ(errno, EACCES);
    EXPECT_EQ(chmod(socket_path.c_str(), 0777), -1);
    // And this he can, which shows that it is the right directory.
    address = SocketAddress(socket_path);
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                      sizeof(address)),
              0);
  });
  EXPECT_EQ(bob.Wait(), 0);
}

// A name that is not for others, beside one that is.
TEST_F(SharedRendezvousTest, APrivateNameStaysPrivate) {
  if (!CanBecomeOthers()) GTEST_SKIP() << "needs root to become other users";
  RendezvousOptions own;
  own.directory = directory_;
  absl::StatusOr<std::unique_ptr<ListeningName>> name =
      ListeningName::Acquire("private", 8, own);
  ASSERT_TRUE(name.ok()) << name.status();
  ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);  // afterwards
  ChildProcess bob([this](Conversation&) {
    ASSERT_TRUE(Become(kBob));
    const UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const sockaddr_un address = SocketAddress(directory_ + "/private.sock");
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                      sizeof(address)),
              -1);
    EXPECT_EQ(errno, EACCES);
  });
  EXPECT_EQ(bob.Wait(), 0);
}

}  // namespace
}  // namespace grpc_shm
