// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/rendezvous.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/link/temporary_rendezvous.h"

namespace grpc_shm {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::RunInChild;
using testing::TemporaryRendezvous;

constexpr uid_t kNobody = 65534;

mode_t ModeOf(const std::string& path) {
  struct stat info;
  EXPECT_EQ(lstat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

std::string MessageOf(const absl::StatusOr<Rendezvous>& rendezvous) {
  return std::string(rendezvous.status().message());
}

// Each test starts with an empty directory, whose path is in GRPC_SHM_DIR.
class RendezvousTest : public ::testing::Test {
 protected:
  ~RendezvousTest() override {
    unsetenv("XDG_RUNTIME_DIR");
    unsetenv("TMPDIR");
  }

  void Choose(const char* variable, const std::string& value) {
    setenv(variable, value.c_str(), /*overwrite=*/1);
  }

  TemporaryRendezvous temporary_;
};

TEST_F(RendezvousTest, ItsOwnVariableNamesTheDirectoryItself) {
  Choose("XDG_RUNTIME_DIR", temporary_.Path("unused"));
  absl::StatusOr<Rendezvous> rendezvous = Rendezvous::Open();
  ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
  EXPECT_EQ(rendezvous->directory(), temporary_.directory());
}

TEST_F(RendezvousTest, TheRuntimeDirectoryComesSecond) {
  unsetenv("GRPC_SHM_DIR");
  Choose("XDG_RUNTIME_DIR", temporary_.directory());
  Choose("TMPDIR", temporary_.Path("unused"));
  absl::StatusOr<Rendezvous> rendezvous = Rendezvous::Open();
  ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
  EXPECT_EQ(rendezvous->directory(), temporary_.Path("grpc-shm"));
}

TEST_F(RendezvousTest, TheTemporaryDirectoryComesLastAndOnePerUser) {
  unsetenv("GRPC_SHM_DIR");
  Choose("XDG_RUNTIME_DIR", "");  // as good as unset
  Choose("TMPDIR", temporary_.directory());
  absl::StatusOr<Rendezvous> rendezvous = Rendezvous::Open();
  ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
  EXPECT_EQ(rendezvous->directory(),
            temporary_.Path(absl::StrCat("grpc-shm-", geteuid())));
}

TEST_F(RendezvousTest, AMissingDirectoryIsMadeForThisUserAlone) {
  const mode_t before = umask(0);
  Choose("GRPC_SHM_DIR", temporary_.Path("new"));
  absl::StatusOr<Rendezvous> rendezvous = Rendezvous::Open();
  umask(before);
  ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
  EXPECT_EQ(ModeOf(temporary_.Path("new")), 0700u);
}

TEST_F(RendezvousTest, AMissingParentIsNotMade) {
  Choose("GRPC_SHM_DIR", temporary_.Path("missing/new"));
  absl::StatusOr<Rendezvous> rendezvous = Rendezvous::Open();
  EXPECT_EQ(rendezvous.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(rendezvous),
              AllOf(HasSubstr(temporary_.Path("missing/new")),
                    HasSubstr("set GRPC_SHM_DIR")));
}

TEST_F(RendezvousTest, ARelativePathIsRefused) {
  Choose("GRPC_SHM_DIR", "here");
  EXPECT_EQ(Rendezvous::Open().status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(RendezvousTest, ASymbolicLinkIsRefusedWithOrWithoutASlash) {
  ASSERT_EQ(mkdir(temporary_.Path("real").c_str(), 0700), 0);
  ASSERT_EQ(symlink("real", temporary_.Path("link").c_str()), 0);
  for (const char* path : {"link", "link/", "link//"}) {
    Choose("GRPC_SHM_DIR", temporary_.Path(path));
    absl::StatusOr<Rendezvous> rendezvous = Rendezvous::Open();
    EXPECT_EQ(rendezvous.status().code(), absl::StatusCode::kPermissionDenied)
        << path;
    EXPECT_THAT(MessageOf(rendezvous), HasSubstr("symbolic link"));
  }
}

TEST_F(RendezvousTest, AFileIsRefused) {
  std::ofstream(temporary_.Path("file")) << "not a directory";
  Choose("GRPC_SHM_DIR", temporary_.Path("file"));
  EXPECT_EQ(Rendezvous::Open().status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(RendezvousTest, AnyRightOfGroupOrOthersIsRefused) {
  for (mode_t mode : {0701, 0702, 0704, 0710, 0720, 0740, 0777, 01777}) {
    ASSERT_EQ(chmod(temporary_.directory().c_str(), mode), 0);
    absl::StatusOr<Rendezvous> rendezvous = Rendezvous::Open();
    EXPECT_EQ(rendezvous.status().code(), absl::StatusCode::kPermissionDenied)
        << std::oct << mode;
    EXPECT_THAT(MessageOf(rendezvous), AllOf(HasSubstr(temporary_.directory()),
                                             HasSubstr("lets other users in")));
  }
}

TEST_F(RendezvousTest, AForeignOwnerIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give a directory away";
  ASSERT_EQ(chown(temporary_.directory().c_str(), kNobody, kNobody), 0);
  absl::StatusOr<Rendezvous> rendezvous = Rendezvous::Open();
  EXPECT_EQ(rendezvous.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(MessageOf(rendezvous), HasSubstr("belongs to uid 65534"));
}

TEST_F(RendezvousTest, AnotherUserIsKeptOut) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  const absl::Status status = RunInChild([] {
    if (setgid(kNobody) != 0 || setuid(kNobody) != 0) {
      return absl::InternalError("cannot become another user");
    }
    return Rendezvous::Open().status();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(temporary_.directory()));
}

TEST_F(RendezvousTest, ASocketPathMayHave107Bytes) {
  absl::StatusOr<Rendezvous> rendezvous = Rendezvous::Open();
  ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
  const size_t room =
      107 - temporary_.directory().size() - sizeof("/.sock") + 1;
  absl::StatusOr<std::string> path =
      rendezvous->SocketPath(std::string(room, 'n'));
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(path->size(), 107u);

  path = rendezvous->SocketPath(std::string(room + 1, 'n'));
  EXPECT_EQ(path.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(path.status().message()),
              AllOf(HasSubstr("shm:nnn"), HasSubstr("set GRPC_SHM_DIR")));
}

}  // namespace
}  // namespace grpc_shm
