// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What stands under a mailbox's name when it is opened: anything at all.

#include "transport/mailbox/mailbox_segment.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/mailbox.h"

namespace grpc_shm {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using testing::RunInChild;
using testing::TemporaryMailboxes;

constexpr uid_t kNobody = 65534;
constexpr absl::StatusCode kPrecondition =
    absl::StatusCode::kFailedPrecondition;
constexpr absl::StatusCode kDenied = absl::StatusCode::kPermissionDenied;

class MailboxSegmentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<MailboxDirectory> directory =
        MailboxDirectory::Make(kNoGroup);
    ASSERT_TRUE(directory.ok()) << directory.status();
    directory_.push_back(*std::move(directory));
    absl::StatusOr<MailboxGeometry> geometry =
        MailboxGeometry::Of(MailboxCapacity::Bounded(4), 100, 0);
    ASSERT_TRUE(geometry.ok()) << geometry.status();
    geometry_ = *geometry;
  }

  MailboxSegment Create() {
    absl::StatusOr<MailboxSegment> segment =
        MailboxSegment::Create(directory_[0], "test", geometry_, 0600);
    EXPECT_TRUE(segment.ok()) << segment.status();
    return *std::move(segment);
  }

  absl::Status OpenStatus() {
    return MailboxSegment::Open(directory_[0], "test").status();
  }

  std::string Path() const { return mailboxes_.Path("test"); }

  TemporaryMailboxes mailboxes_;
  std::vector<MailboxDirectory> directory_;  // one
  MailboxGeometry geometry_;
};

TEST_F(MailboxSegmentTest, AppearsWholeUnderItsName) {
  MailboxSegment made = Create();
  absl::StatusOr<MailboxSegment> opened =
      MailboxSegment::Open(directory_[0], "test");
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->geometry().blocks, 4u);
  EXPECT_EQ(opened->geometry().segment_bytes, geometry_.segment_bytes);
  made.block(3)[99] = 'x';
  EXPECT_EQ(opened->block(3)[99], 'x');
}

TEST_F(MailboxSegmentTest, HasAllItsMemoryReserved) {
  MailboxSegment made = Create();
  struct stat info;
  ASSERT_EQ(fstat(made.fd(), &info), 0);
  EXPECT_GE(static_cast<uint64_t>(info.st_blocks) * 512,
            geometry_.segment_bytes);
}

TEST_F(MailboxSegmentTest, OfAFutureVersionIsRefused) {
  Create().control()->header.version = kMailboxLayoutVersion + 1;
  const absl::Status status = OpenStatus();
  EXPECT_EQ(status.code(), kPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("mailbox:test: not a mailbox that this process can "
                        "use: it has layout version 2"));
}

TEST_F(MailboxSegmentTest, ThatIsForeignIsRefused) {
  for (const std::string& contents :
       {std::string(), std::string("something else"), std::string(12288, '\0'),
        std::string(1 << 20, 'x')}) {
    std::ofstream(Path()) << contents << std::flush;
    chmod(Path().c_str(), 0600);
    EXPECT_EQ(OpenStatus().code(), kPrecondition) << contents.size();
    EXPECT_TRUE(MailboxSegment::Destroy(directory_[0], "test").ok());
  }
}

TEST_F(MailboxSegmentTest, ThatIsNoFileIsRefused) {
  ASSERT_EQ(mkdir(Path().c_str(), 0700), 0);
  EXPECT_EQ(OpenStatus().code(), kPrecondition);
  ASSERT_EQ(rmdir(Path().c_str()), 0);
  ASSERT_EQ(mkfifo(Path().c_str(), 0600), 0);
  EXPECT_EQ(OpenStatus().code(), kPrecondition);
  ASSERT_EQ(unlink(Path().c_str()), 0);
  ASSERT_EQ(symlink("/etc/passwd", Path().c_str()), 0);
  EXPECT_EQ(OpenStatus().code(), kPrecondition);
}

TEST_F(MailboxSegmentTest, ThatWasCutOrGrewIsRefused) {
  for (off_t by : {off_t{-4096}, off_t{4096}}) {
    MailboxSegment segment = Create();
    ASSERT_EQ(ftruncate(segment.fd(),
                        static_cast<off_t>(geometry_.segment_bytes) + by),
              0);
    EXPECT_EQ(OpenStatus().code(), kPrecondition) << by;
    EXPECT_TRUE(MailboxSegment::Destroy(directory_[0], "test").ok());
  }
}

TEST_F(MailboxSegmentTest, OfAnotherPidNamespaceIsRefused) {
  MailboxSegment segment = Create();
  segment.control()->header.pid_namespace = 1;
  const absl::Status status = OpenStatus();
  EXPECT_EQ(status.code(), kPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("namespace"));
}

TEST_F(MailboxSegmentTest, ThatOthersMayUseIsRefused) {
  MailboxSegment segment = Create();
  ASSERT_EQ(fchmod(segment.fd(), 0606), 0);
  EXPECT_EQ(OpenStatus().code(), kDenied);
  ASSERT_EQ(fchmod(segment.fd(), 0660), 0);
  EXPECT_EQ(OpenStatus().code(), kDenied);
}

TEST_F(MailboxSegmentTest, OfAnotherUserIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  MailboxSegment segment = Create();
  ASSERT_EQ(fchown(segment.fd(), kNobody, kNoGroup), 0);
  EXPECT_EQ(OpenStatus().code(), kDenied);
}

TEST_F(MailboxSegmentTest, ThatIsDestroyedIsThereNoMore) {
  MailboxSegment segment = Create();
  EXPECT_TRUE(MailboxSegment::Destroy(directory_[0], "test").ok());
  EXPECT_EQ(segment.control()->state.destroyed.load(), 1u);
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(MailboxSegment::Destroy(directory_[0], "test").code(),
            absl::StatusCode::kNotFound);
}

// Its destroyer was killed between saying so and taking the name away.
TEST_F(MailboxSegmentTest, ThatIsHalfDestroyedGivesItsNameAway) {
  Create().control()->state.destroyed = 1;
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kNotFound);
  MailboxSegment next = Create();
  EXPECT_TRUE(OpenStatus().ok());
}

TEST_F(MailboxSegmentTest, LeavesNothingWhenItsMakerFails) {
  MailboxSegment segment = Create();
  EXPECT_EQ(MailboxSegment::Create(directory_[0], "test", geometry_, 0600)
                .status()
                .code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(directory_[0].Names(), std::vector<std::string>{"test"});
}

class MailboxDirectoryTest : public ::testing::Test {
 protected:
  static absl::Status MakeStatus() {
    return MailboxDirectory::Make(kNoGroup).status();
  }

  TemporaryMailboxes mailboxes_;
};

TEST_F(MailboxDirectoryTest, IsMadeForItsOwnerAlone) {
  umask(0);
  ASSERT_TRUE(MakeStatus().ok());
  struct stat info;
  ASSERT_EQ(stat(mailboxes_.directory().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
  EXPECT_EQ(info.st_uid, geteuid());
}

TEST_F(MailboxDirectoryTest, ThatOthersCanEnterIsNotUsed) {
  ASSERT_TRUE(MakeStatus().ok());
  for (mode_t mode : {0701, 0710, 0722, 0777}) {
    ASSERT_EQ(chmod(mailboxes_.directory().c_str(), mode), 0);
    EXPECT_EQ(MakeStatus().code(), kDenied) << mode;
    EXPECT_EQ(MailboxDirectory::Open(geteuid(), kNoGroup).status().code(),
              kDenied)
        << mode;
  }
}

TEST_F(MailboxDirectoryTest, ThatIsALinkOrAFileIsNotUsed) {
  ASSERT_EQ(symlink("/tmp", mailboxes_.directory().c_str()), 0);
  EXPECT_EQ(MakeStatus().code(), kDenied);
  ASSERT_EQ(unlink(mailboxes_.directory().c_str()), 0);
  std::ofstream(mailboxes_.directory()) << "file" << std::flush;
  EXPECT_EQ(MakeStatus().code(), kDenied);
}

TEST_F(MailboxDirectoryTest, OfAnotherUserIsNotUsed) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give a directory away";
  ASSERT_TRUE(MakeStatus().ok());
  ASSERT_EQ(chown(mailboxes_.directory().c_str(), kNobody, kNoGroup), 0);
  const absl::Status status = MakeStatus();
  EXPECT_EQ(status.code(), kDenied);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("belongs to uid 65534 and not to 0"));
}

TEST_F(MailboxDirectoryTest, MustHaveAnAbsolutePath) {
  setenv("GRPC_SHM_MAILBOX_DIR", "relative", 1);
  EXPECT_EQ(MakeStatus().code(), absl::StatusCode::kInvalidArgument);
}

// ---- Other users, with rights or without ----

class MailboxUsersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
    ASSERT_EQ(chmod(mailboxes_.base().c_str(), 01777), 0);
  }

  static absl::Status AsUser(uid_t user, gid_t group,
                             const std::function<absl::Status()>& work) {
    return RunInChild([&] {
      EXPECT_EQ(setgroups(0, nullptr), 0);
      EXPECT_EQ(setgid(group), 0);
      EXPECT_EQ(setuid(user), 0);
      return work();
    });
  }

  TemporaryMailboxes mailboxes_;
};

TEST_F(MailboxUsersTest, AStrangerCanNeitherOpenNorDestroy) {
  const absl::Status made =
      RunInChild([] { return Mailbox::Create("mailbox:own").status(); });
  ASSERT_TRUE(made.ok()) << made;
  OpenMailboxOptions options;
  options.owner = 0;
  EXPECT_EQ(
      AsUser(kNobody, kNobody,
             [&] { return Mailbox::Open("mailbox:own", options).status(); })
          .code(),
      kDenied);
  EXPECT_EQ(AsUser(kNobody, kNobody,
                   [&] { return Mailbox::Destroy("mailbox:own", options); })
                .code(),
            kDenied);
}

TEST_F(MailboxUsersTest, EachHasNamesOfTheirOwn) {
  const auto make = [] { return Mailbox::Create("mailbox:same").status(); };
  EXPECT_TRUE(RunInChild(make).ok());
  EXPECT_TRUE(AsUser(kNobody, kNobody, make).ok());
  EXPECT_THAT(mailboxes_.Files(),
              IsSupersetOf({"grpc-shm-0", "grpc-shm-65534", "same"}));
}

TEST_F(MailboxUsersTest, AGroupsMembersShareAMailbox) {
  constexpr gid_t kGroup = 12345;
  const absl::Status made = RunInChild([] {
    MailboxOptions options;
    options.mode = 0660;
    options.group = kGroup;
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
        Mailbox::Create("mailbox:shared", options);
    return mailbox.ok() ? (*mailbox)->Send("hello") : mailbox.status();
  });
  ASSERT_TRUE(made.ok()) << made;
  OpenMailboxOptions options;
  options.owner = 0;
  options.group = kGroup;
  const auto receive = [&] {
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
        Mailbox::Open("mailbox:shared", options);
    if (!mailbox.ok()) return mailbox.status();
    absl::StatusOr<Mailbox::Message> message = (*mailbox)->TryReceive();
    if (!message.ok()) return message.status();
    EXPECT_EQ(message->view(), "hello");
    message->Acknowledge();
    return absl::OkStatus();
  };
  EXPECT_EQ(AsUser(kNobody, kNobody, receive).code(), kDenied);
  const absl::Status received = AsUser(kNobody, kGroup, receive);
  EXPECT_TRUE(received.ok()) << received;
  EXPECT_EQ(AsUser(kNobody, kGroup,
                   [&] { return Mailbox::Destroy("mailbox:shared", options); })
                .code(),
            kDenied);
  EXPECT_EQ(AsUser(1, kNobody,
                   [] {
                     MailboxOptions options;
                     options.mode = 0660;
                     options.group = kGroup;
                     return Mailbox::Create("mailbox:x", options).status();
                   })
                .code(),
            kDenied);
}

}  // namespace
}  // namespace grpc_shm
