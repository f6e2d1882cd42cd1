// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What another user can do to a server and its client that run with defaults:
// nothing. Alice serves and calls; Bob tries. What Bob fails at, Alice can do,
// so that it is the user that makes the difference.

#include <dirent.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/link/other_user.h"
#include "tests/unit/link/temporary_rendezvous.h"
#include "transport/link/handshake.h"
#include "transport/link/listening_name.h"
#include "transport/link/rendezvous.h"
#include "transport/link/socket_address.h"

namespace grpc_shm {
namespace {

using testing::Become;
using testing::CanBecomeOthers;
using testing::ChildProcess;
using testing::Conversation;
using testing::kAlice;
using testing::kBob;
using testing::TemporaryRendezvous;

constexpr char kName[] = "unheard-of-name";
constexpr char kSecret[] = "a secret that goes through shared memory";

// Runs `body` as that user, in a process of its own; whether no expectation
// failed there.
bool RunAs(uid_t user, const std::function<void()>& body) {
  ChildProcess child([user, &body](Conversation&) {
    ASSERT_TRUE(Become(user));
    body();
  });
  return child.Wait() == 0;
}

bool ConnectTo(const std::string& path) {
  const UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const sockaddr_un address = SocketAddress(path);
  return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                 sizeof(address)) == 0;
}

bool CanList(const std::string& directory) {
  DIR* const opened = opendir(directory.c_str());
  if (opened != nullptr) closedir(opened);
  return opened != nullptr;
}

bool Exists(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0;
}

// A server and a client of Alice's, in one process, with a secret on its way
// from one to the other.
class IsolationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CanBecomeOthers()) GTEST_SKIP() << "needs root to become other users";
    ASSERT_EQ(chown(temporary_.directory().c_str(), kAlice, kAlice), 0);
    alice_ = std::make_unique<ChildProcess>([](Conversation& parent) {
      ASSERT_TRUE(Become(kAlice));
      absl::StatusOr<std::unique_ptr<ListeningName>> name =
          ListeningName::Acquire(kName, /*backlog=*/8);
      ASSERT_TRUE(name.ok()) << name.status();
      absl::StatusOr<UniqueFd> client = Connect(kName, LinkOptions());
      ASSERT_TRUE(client.ok()) << client.status();
      absl::StatusOr<UniqueFd> socket = Accept((*name)->fd());
      ASSERT_TRUE(socket.ok()) << socket.status();
      absl::StatusOr<std::unique_ptr<Link>> link =
          AnswerHello(*std::move(socket), kName, LinkOptions());
      ASSERT_TRUE(link.ok()) << link.status();
      std::byte* const payload =
          (*link)->producer().TryReserve(sizeof(kSecret));
      ASSERT_NE(payload, nullptr);
      std::memcpy(payload, kSecret, sizeof(kSecret));
      (*link)->producer().Commit({sizeof(kSecret), 1, 0, 0, 1});
      (*link)->producer().Publish();
      parent.Say(absl::StrCat(reinterpret_cast<uintptr_t>(payload)));
      parent.Hear();
    });
    ASSERT_TRUE(
        absl::SimpleAtoi(alice_->conversation().Hear(), &secret_address_));
  }

  // As /proc shows her process; `file` may be "fd/3".
  std::string Proc(const std::string& file) const {
    return absl::StrCat("/proc/", alice_->pid(), "/", file);
  }

  TemporaryRendezvous temporary_;
  std::unique_ptr<ChildProcess> alice_;
  uintptr_t secret_address_ = 0;
};

TEST_F(IsolationTest, AnotherUserCannotConnect) {
  const std::string path = temporary_.Path(absl::StrCat(kName, ".sock"));
  EXPECT_TRUE(RunAs(kAlice, [&] {
    EXPECT_TRUE(ConnectTo(path));
    EXPECT_TRUE(Connect(kName, LinkOptions()).ok());
  }));
  EXPECT_TRUE(RunAs(kBob, [&] {
    EXPECT_FALSE(ConnectTo(path));
    EXPECT_EQ(errno, EACCES);
    EXPECT_EQ(Connect(kName, LinkOptions()).status().code(),
              absl::StatusCode::kPermissionDenied);
    // Nor when he says that he would take Alice for a server.
    LinkOptions options;
    options.peers.uids = {kAlice};
    EXPECT_EQ(Connect(kName, options).status().code(),
              absl::StatusCode::kPermissionDenied);
  }));
}

TEST_F(IsolationTest, AnotherUserSeesNoNames) {
  const std::string path = temporary_.Path(absl::StrCat(kName, ".sock"));
  const auto sockets = [] {
    std::ifstream file("/proc/net/unix");
    return std::string((std::istreambuf_iterator<char>(file)), {});
  };
  EXPECT_TRUE(RunAs(kAlice, [&] {
    EXPECT_TRUE(CanList(temporary_.directory()));
    EXPECT_TRUE(Exists(path));
    EXPECT_TRUE(CanList(Proc("fd")));
  }));
  EXPECT_TRUE(RunAs(kBob, [&] {
    EXPECT_FALSE(CanList(temporary_.directory()));
    EXPECT_FALSE(Exists(path));
    EXPECT_FALSE(CanList(Proc("fd")));
    // The kernel tells everybody where sockets are bound.
    EXPECT_THAT(sockets(), ::testing::HasSubstr(temporary_.directory()));
    EXPECT_THAT(sockets(), ::testing::Not(::testing::HasSubstr(kName)));
  }));
}

TEST_F(IsolationTest, AnotherUserCannotTakeANameOver) {
  const std::string path = temporary_.Path(absl::StrCat(kName, ".sock"));
  const std::string lock = temporary_.Path(absl::StrCat(kName, ".lock"));
  const std::string elsewhere =
      absl::StrCat(temporary_.directory(), "-elsewhere");
  alice_->Kill();  // the name is free, and its socket stale
  EXPECT_TRUE(RunAs(kBob, [&] {
    EXPECT_EQ(ListeningName::Acquire(kName, 1).status().code(),
              absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(ListeningName::Acquire("another", 1).status().code(),
              absl::StatusCode::kPermissionDenied);
    EXPECT_FALSE(ListeningName::RemoveStale(kName));
    EXPECT_EQ(open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666), -1);
    EXPECT_EQ(unlink(path.c_str()), -1);
    EXPECT_EQ(symlink("/", path.c_str()), -1);
    const UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const sockaddr_un address = SocketAddress(path);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof(address)),
              -1);
    // Nor can he put a directory of his own in its place.
    EXPECT_EQ(rename(temporary_.directory().c_str(), elsewhere.c_str()), -1);
    EXPECT_EQ(rmdir(temporary_.directory().c_str()), -1);
  }));
  EXPECT_TRUE(RunAs(
      kAlice, [] { EXPECT_TRUE(ListeningName::Acquire(kName, 1).ok()); }));
}

// The segment has no name. There are the processes that have it.
TEST_F(IsolationTest, AnotherUserCannotReadASegment) {
  const auto sees_descriptors = [&] {
    for (int fd = 0; fd < 64; ++fd) {
      char target[64];
      if (readlink(Proc(absl::StrCat("fd/", fd)).c_str(), target,
                   sizeof(target)) > 0) {
        return true;
      }
    }
    return false;
  };
  const auto read_memory = [&] {
    char copy[sizeof(kSecret)] = {};
    const iovec own = {copy, sizeof(copy)};
    const iovec other = {reinterpret_cast<void*>(secret_address_),
                         sizeof(copy)};
    return process_vm_readv(alice_->pid(), &own, 1, &other, 1, 0) ==
               static_cast<ssize_t>(sizeof(copy)) &&
           std::strcmp(copy, kSecret) == 0;
  };
  EXPECT_TRUE(RunAs(kBob, [&] {
    EXPECT_FALSE(sees_descriptors());
    EXPECT_FALSE(CanList(Proc("map_files")));
    EXPECT_FALSE(read_memory());
    EXPECT_EQ(open(Proc("mem").c_str(), O_RDONLY | O_CLOEXEC), -1);
    EXPECT_EQ(open(Proc("maps").c_str(), O_RDONLY | O_CLOEXEC), -1);
    EXPECT_EQ(ptrace(PTRACE_SEIZE, alice_->pid(), nullptr, nullptr), -1);
#if defined(SYS_pidfd_open) && defined(SYS_pidfd_getfd)
    const UniqueFd process(
        static_cast<int>(syscall(SYS_pidfd_open, alice_->pid(), 0)));
    for (int fd = 0; process.valid() && fd < 64; ++fd) {
      EXPECT_EQ(syscall(SYS_pidfd_getfd, process.get(), fd, 0), -1);
    }
#endif
  }));
  // It is there to be read: by its own user or, where Yama forbids that, root.
  EXPECT_TRUE(RunAs(kAlice, [&] { EXPECT_TRUE(sees_descriptors()); }));
  EXPECT_TRUE(read_memory() ||
              RunAs(kAlice, [&] { EXPECT_TRUE(read_memory()); }));
}

// Whatever somebody puts where the default directory would be made, it is not
// used; and what it leads to is not touched.
TEST_F(IsolationTest, NothingPlantedByAnotherUserIsUsed) {
  const std::string parent = temporary_.Path("tmp");
  const std::string directory = absl::StrCat(parent, "/grpc-shm-", kAlice);
  const std::string treasure = temporary_.Path("tmp/alices-own");
  ASSERT_EQ(chmod(temporary_.directory().c_str(), 0755), 0);
  ASSERT_EQ(mkdir(parent.c_str(), 0700), 0);
  ASSERT_EQ(chmod(parent.c_str(), 01777), 0);
  ASSERT_EQ(mkdir(treasure.c_str(), 0700), 0);
  ASSERT_EQ(chown(treasure.c_str(), kAlice, kAlice), 0);
  unsetenv("GRPC_SHM_DIR");
  unsetenv("XDG_RUNTIME_DIR");
  setenv("TMPDIR", parent.c_str(), /*overwrite=*/1);
  const std::function<void()> plants[] = {
      [&] { ASSERT_EQ(mkdir(directory.c_str(), 0777), 0); },
      [&] { ASSERT_EQ(mkdir(directory.c_str(), 0700), 0); },
      [&] { ASSERT_EQ(symlink(treasure.c_str(), directory.c_str()), 0); },
      [&] { ASSERT_EQ(symlink("/nowhere", directory.c_str()), 0); },
      [&] { ASSERT_EQ(mkfifo(directory.c_str(), 0666), 0); },
      [&] { ASSERT_EQ(mknod(directory.c_str(), S_IFREG | 0666, 0), 0); },
  };
  for (const auto& plant : plants) {
    EXPECT_TRUE(RunAs(kBob, plant));
    EXPECT_TRUE(RunAs(kAlice, [&] {
      for (const absl::Status& status :
           {ListeningName::Acquire(kName, 1).status(),
            Connect(kName, LinkOptions()).status()}) {
        EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
        EXPECT_THAT(std::string(status.message()),
                    ::testing::HasSubstr("set GRPC_SHM_DIR"));
      }
      EXPECT_EQ(rmdir(treasure.c_str()), 0) << "it is not empty any more";
      EXPECT_EQ(mkdir(treasure.c_str(), 0700), 0);
    }));
    ASSERT_EQ(remove(directory.c_str()), 0);
  }
  EXPECT_TRUE(RunAs(
      kAlice, [] { EXPECT_TRUE(ListeningName::Acquire(kName, 1).ok()); }));
  unsetenv("TMPDIR");
}

// The same as a race: Bob puts things there and takes them away while Alice
// starts servers. She gets a directory of her own, or an error.
TEST_F(IsolationTest, ARaceForTheDirectoryCannotBeWon) {
  const std::string parent = temporary_.Path("tmp");
  const std::string directory = absl::StrCat(parent, "/grpc-shm-", kAlice);
  const std::string treasure = temporary_.Path("tmp/alices-own");
  const std::string trap = temporary_.Path("tmp/bobs-own");
  ASSERT_EQ(chmod(temporary_.directory().c_str(), 0755), 0);
  ASSERT_EQ(mkdir(parent.c_str(), 0700), 0);
  ASSERT_EQ(chmod(parent.c_str(), 01777), 0);
  ASSERT_EQ(mkdir(treasure.c_str(), 0700), 0);
  ASSERT_EQ(chown(treasure.c_str(), kAlice, kAlice), 0);
  ASSERT_EQ(mkdir(trap.c_str(), 0700), 0);
  ASSERT_EQ(chown(trap.c_str(), kBob, kBob), 0);
  ASSERT_EQ(chmod(trap.c_str(), 0777), 0);
  unsetenv("GRPC_SHM_DIR");
  unsetenv("XDG_RUNTIME_DIR");
  setenv("TMPDIR", parent.c_str(), /*overwrite=*/1);

  // Until he is killed.
  ChildProcess bob([&](Conversation& observer) {
    ASSERT_TRUE(Become(kBob));
    observer.Say("at it");
    for (;;) {
      (void)symlink(treasure.c_str(), directory.c_str());
      unlink(directory.c_str());
      (void)symlink(trap.c_str(), directory.c_str());
      unlink(directory.c_str());
      mkdir(directory.c_str(), 0777);
      rmdir(directory.c_str());
      (void)rename(trap.c_str(), directory.c_str());
      (void)rename(directory.c_str(), trap.c_str());
    }
  });
  ASSERT_EQ(bob.conversation().Hear(), "at it");
  int served = 0;
  int refused = 0;
  ChildProcess alice([&](Conversation& observer) {
    ASSERT_TRUE(Become(kAlice));
    // Until both have happened, and often enough.
    for (int i = 0; i < 2000 || (i < 200000 && (served == 0 || refused == 0));
         ++i) {
      absl::StatusOr<std::unique_ptr<ListeningName>> name =
          ListeningName::Acquire(kName, 1);
      if (!name.ok()) {
        ++refused;
        continue;
      }
      ++served;
      struct stat info;
      ASSERT_EQ(lstat(directory.c_str(), &info), 0);
      ASSERT_TRUE(S_ISDIR(info.st_mode));
      ASSERT_EQ(info.st_uid, kAlice);
      ASSERT_EQ(info.st_mode & 07777, 0700u);
      ASSERT_TRUE(ConnectTo(absl::StrCat(directory, "/", kName, ".sock")));
      // So that there is something to race for again.
      name->reset();
      ASSERT_EQ(unlink(absl::StrCat(directory, "/", kName, ".lock").c_str()),
                0);
      ASSERT_EQ(rmdir(directory.c_str()), 0);
    }
    observer.Say(absl::StrCat(served));
    observer.Say(absl::StrCat(refused));
  });
  ASSERT_TRUE(absl::SimpleAtoi(alice.conversation().Hear(), &served));
  ASSERT_TRUE(absl::SimpleAtoi(alice.conversation().Hear(), &refused));
  EXPECT_EQ(alice.Wait(), 0);
  bob.Kill();
  EXPECT_GT(served, 0);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(rmdir(treasure.c_str()), 0) << "something was made there";
  // Bob may have been killed with his trap in place of the directory.
  EXPECT_TRUE(rmdir(trap.c_str()) == 0 || rmdir(directory.c_str()) == 0)
      << "something was made there";
  unsetenv("TMPDIR");
}

}  // namespace
}  // namespace grpc_shm
