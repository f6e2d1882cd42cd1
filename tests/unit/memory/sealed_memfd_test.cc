// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/memory/sealed_memfd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/memory/child_process.h"
#include "transport/base/unique_fd.h"

namespace grpc_shm {
namespace {

using ::testing::HasSubstr;

const size_t kPage = static_cast<size_t>(sysconf(_SC_PAGESIZE));
const size_t kBytes = 4 * kPage;
constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

// As a peer might have made it.
UniqueFd MemfdOf(size_t bytes, int seals) {
  UniqueFd fd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(ftruncate(fd.get(), static_cast<off_t>(bytes)), 0);
  EXPECT_EQ(fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  return fd;
}

TEST(SealedMemfd, HasTheSizeTheSealsAndItsPagesReserved) {
  absl::StatusOr<UniqueFd> fd = CreateSealedMemfd("test", kBytes);
  ASSERT_TRUE(fd.ok()) << fd.status();
  struct stat info;
  ASSERT_EQ(fstat(fd->get(), &info), 0);
  EXPECT_EQ(info.st_size, static_cast<off_t>(kBytes));
  EXPECT_EQ(info.st_blocks * 512, static_cast<off_t>(kBytes));
  EXPECT_EQ(fcntl(fd->get(), F_GET_SEALS) & kSizeSeals, kSizeSeals);
  EXPECT_TRUE(VerifySealedMemfd(fd->get(), kBytes).ok());
}

TEST(SealedMemfd, IsItsOwnersAlone) {
  absl::StatusOr<UniqueFd> fd = CreateSealedMemfd("test", kBytes);
  ASSERT_TRUE(fd.ok()) << fd.status();
  struct stat info;
  ASSERT_EQ(fstat(fd->get(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

TEST(SealedMemfd, ClosesOnExec) {
  absl::StatusOr<UniqueFd> fd = CreateSealedMemfd("test", kBytes);
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(SealedMemfd, CannotBeResizedByAnybody) {
  absl::StatusOr<UniqueFd> fd = CreateSealedMemfd("test", kBytes);
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(ftruncate(fd->get(), 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(ftruncate(fd->get(), static_cast<off_t>(2 * kBytes)), -1);
  EXPECT_EQ(errno, EPERM);
}

TEST(SealedMemfd, RefusesSizesThatAreNotWholePages) {
  for (size_t bytes : {size_t{0}, size_t{1}, kPage - 1, kPage + 1}) {
    EXPECT_EQ(CreateSealedMemfd("test", bytes).status().code(),
              absl::StatusCode::kInvalidArgument)
        << bytes;
  }
}

TEST(SealedMemfd, SaysThatDescriptorsRanOut) {
  EXPECT_EQ(CodeInChild([]() -> absl::Status {
              absl::Status lowered = LowerLimit(RLIMIT_NOFILE, 3);
              if (!lowered.ok()) return lowered;
              return CreateSealedMemfd("test", kBytes).status();
            }),
            absl::StatusCode::kResourceExhausted);
}

TEST(SealedMemfd, LeaksNoDescriptorWhenItFails) {
  EXPECT_EQ(CodeInChild([]() -> absl::Status {
              // So that it fails after the memfd was created.
              signal(SIGXFSZ, SIG_IGN);
              absl::Status lowered = LowerLimit(RLIMIT_FSIZE, kPage);
              if (!lowered.ok()) return lowered;
              const UniqueFd before(dup(0));
              if (CreateSealedMemfd("test", kBytes).ok()) {
                return absl::InternalError("created despite the limit");
              }
              const UniqueFd after(dup(0));
              return after.get() == before.get() + 1
                         ? absl::OkStatus()
                         : absl::DataLossError("leaked");
            }),
            absl::StatusCode::kOk);
}

TEST(VerifySealedMemfd, RefusesAnotherSize) {
  const UniqueFd fd = MemfdOf(kBytes, kSizeSeals);
  for (size_t expected : {kBytes - kPage, kBytes + kPage, kBytes + 1}) {
    const absl::Status status = VerifySealedMemfd(fd.get(), expected);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr(absl::StrCat(expected)));
    EXPECT_THAT(status.message(), HasSubstr(absl::StrCat(kBytes)));
  }
}

class VerifyMissingSeal : public ::testing::TestWithParam<int> {};

TEST_P(VerifyMissingSeal, IsRefused) {
  const UniqueFd fd = MemfdOf(kBytes, kSizeSeals & ~GetParam());
  EXPECT_EQ(VerifySealedMemfd(fd.get(), kBytes).code(),
            absl::StatusCode::kFailedPrecondition);
}

INSTANTIATE_TEST_SUITE_P(EachSeal, VerifyMissingSeal,
                         ::testing::Values(F_SEAL_SHRINK, F_SEAL_GROW,
                                           F_SEAL_SEAL, kSizeSeals));

TEST(VerifySealedMemfd, RefusesWhatIsSealedAgainstWriting) {
  const UniqueFd fd = MemfdOf(kBytes, kSizeSeals | F_SEAL_WRITE);
  EXPECT_EQ(VerifySealedMemfd(fd.get(), kBytes).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(VerifySealedMemfd, RefusesWhatIsNoMemfd) {
  const UniqueFd fd(open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(VerifySealedMemfd(fd.get(), kBytes).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(VerifySealedMemfd(-1, kBytes).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace grpc_shm
