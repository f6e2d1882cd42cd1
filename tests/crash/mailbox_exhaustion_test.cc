// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Who makes, opens or fills a mailbox and lacks memory, address space or
// descriptors for it gets RESOURCE_EXHAUSTED, then and there: nobody dies of it
// later.

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "tests/unit/link/child_process.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/base/unique_fd.h"
#include "transport/mailbox.h"
#include "transport/mailbox/geometry.h"
#include "transport/mailbox/mailbox_layout.h"
#include "transport/memory/mapping.h"

namespace grpc_shm {
namespace {

using testing::ChildProcess;
using testing::Conversation;
using testing::TemporaryMailboxes;

constexpr char kAddress[] = "mailbox:starving";
constexpr absl::StatusCode kExhausted = absl::StatusCode::kResourceExhausted;
constexpr size_t kMiB = 1 << 20;

MailboxOptions Options(MailboxCapacity capacity, size_t max_message_bytes) {
  MailboxOptions options;
  options.capacity = capacity;
  options.max_message_bytes = max_message_bytes;
  return options;
}

void InChild(const std::function<void()>& body) {
  ChildProcess child([&body](Conversation&) { body(); });
  EXPECT_EQ(child.Wait(), 0);
}

void LowerLimit(decltype(RLIMIT_NOFILE) which, rlim_t value) {
  rlimit limit;
  ASSERT_EQ(getrlimit(which, &limit), 0);
  limit.rlim_cur = value;
  ASSERT_EQ(setrlimit(which, &limit), 0);
}

class MailboxExhaustion : public ::testing::Test {
 protected:
  TemporaryMailboxes mailboxes_;
};

// ---- A full /dev/shm ----

// A tmpfs of 4 MiB in the place of the mailboxes' directory, seen by this
// process alone. False: it is not allowed to.
bool MountSmall(const std::string& where) {
  if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
    return false;
  }
  // So that nobody else sees it.
  (void)mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  return mount("tmpfs", where.c_str(), "tmpfs", 0, "size=4m,mode=0777") == 0;
}

// Takes all the space that is left.
void FillUp(const std::string& where) {
  const int fd =
      open((where + "/filler").c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  ASSERT_GE(fd, 0);
  const std::string page(4096, 'x');
  while (write(fd, page.data(), page.size()) > 0) {
  }
  close(fd);
}

class MailboxFullMemory : public MailboxExhaustion {
 protected:
  // In a process of its own, or skipped.
  void OnSmall(const std::function<void()>& body) {
    ChildProcess child([&](Conversation& test) {
      const bool mounted = MountSmall(mailboxes_.base());
      test.Say(mounted ? "mounted" : "not allowed");
      if (mounted) body();
    });
    if (child.conversation().Hear() != "mounted") {
      GTEST_SKIP() << "mounting a file system is not allowed here";
    }
    EXPECT_EQ(child.Wait(), 0);
  }
};

TEST_F(MailboxFullMemory, IsSaidWhenAMailboxIsMadeAndLeavesNothing) {
  OnSmall([&] {
    for (MailboxCapacity capacity :
         {MailboxCapacity::Bounded(5), MailboxCapacity::Rendezvous()}) {
      const absl::Status status =
          Mailbox::Create(kAddress, Options(capacity, kMiB)).status();
      EXPECT_EQ(status.code(), kExhausted) << status;
      EXPECT_TRUE(mailboxes_.Files().empty());
    }
    EXPECT_TRUE(
        Mailbox::Create(kAddress, Options(MailboxCapacity::Bounded(3), kMiB))
            .ok());
  });
}

TEST_F(MailboxFullMemory, LaterDoesNotConcernAMailboxThatIsMade) {
  OnSmall([&] {
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
        Mailbox::Create(kAddress, Options(MailboxCapacity::Bounded(3), kMiB));
    ASSERT_TRUE(mailbox.ok()) << mailbox.status();
    FillUp(mailboxes_.base());
    // Without reserved pages the first touch of one would be a SIGBUS.
    const std::string text(kMiB, 'x');
    for (int i = 0; i < 3; ++i) EXPECT_TRUE((*mailbox)->TrySend(text).ok());
    for (int i = 0; i < 3; ++i) {
      absl::StatusOr<Mailbox::Message> message = (*mailbox)->TryReceive();
      ASSERT_TRUE(message.ok()) << message.status();
      EXPECT_EQ(message->view(), text);
      message->Acknowledge();
    }
  });
}

TEST_F(MailboxFullMemory, IsSaidToWhoSendsToAnUnboundedOne) {
  OnSmall([&] {
    MailboxOptions options = Options(MailboxCapacity::Unbounded(), kMiB / 4);
    options.max_memory_bytes = 64 * kMiB;
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
        Mailbox::Create(kAddress, options);
    ASSERT_TRUE(mailbox.ok()) << mailbox.status();
    const std::string text(kMiB / 4, 'x');
    int sent = 0;
    absl::Status status;
    while ((status = (*mailbox)->Send(text)).ok()) ++sent;
    EXPECT_EQ(status.code(), kExhausted) << status;
    EXPECT_GT(sent, 4);
    EXPECT_LT(sent, 16);
    for (int i = 0; i < sent; ++i) {
      absl::StatusOr<Mailbox::Message> message = (*mailbox)->TryReceive();
      ASSERT_TRUE(message.ok()) << message.status();
      EXPECT_EQ(message->view(), text);
      message->Acknowledge();
    }
    EXPECT_TRUE((*mailbox)->TrySend(text).ok());
  });
}

// Somebody has written into the segment that every block has memory.
TEST_F(MailboxFullMemory, IsNoticedWhateverTheSegmentSaysOfItsBlocks) {
  OnSmall([&] {
    MailboxOptions options = Options(MailboxCapacity::Unbounded(), kMiB);
    options.max_memory_bytes = 64 * kMiB;
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
        Mailbox::Create(kAddress, options);
    ASSERT_TRUE(mailbox.ok()) << mailbox.status();
    ASSERT_TRUE((*mailbox)->TrySend("takes one page, which it keeps").ok());
    absl::StatusOr<Mailbox::Message> message = (*mailbox)->TryReceive();
    ASSERT_TRUE(message.ok()) << message.status();
    message->Acknowledge();

    absl::StatusOr<MailboxGeometry> geometry = MailboxGeometry::Of(
        options.capacity, options.max_message_bytes, options.max_memory_bytes);
    ASSERT_TRUE(geometry.ok()) << geometry.status();
    const UniqueFd fd(open(mailboxes_.Path("starving").c_str(), O_RDWR));
    absl::StatusOr<Mapping> mapping =
        Mapping::MapShared(fd.get(), 0, geometry->data);
    ASSERT_TRUE(mapping.ok()) << mapping.status();
    auto* const entries =
        reinterpret_cast<BlockEntry*>(mapping->data() + geometry->entries);
    for (uint32_t i = 0; i < geometry->blocks; ++i) {
      entries[i].reserved_bytes = kMiB;
    }

    FillUp(mailboxes_.base());
    const std::string text(kMiB, 'x');
    EXPECT_EQ((*mailbox)->TrySend(text).code(), kExhausted);
    EXPECT_EQ((*mailbox)->TryLoanFor(kMiB).status().code(), kExhausted);
    EXPECT_TRUE((*mailbox)->TrySend("").ok());
  });
}

// ---- Limits of the process ----

TEST_F(MailboxExhaustion, OfAllowedFileSizeIsSaidWhenAMailboxIsMade) {
  InChild([&] {
    signal(SIGXFSZ, SIG_IGN);  // what the kernel sends besides
    LowerLimit(RLIMIT_FSIZE, kMiB);
    EXPECT_EQ(
        Mailbox::Create(kAddress, Options(MailboxCapacity::Bounded(3), kMiB))
            .status()
            .code(),
        kExhausted);
    EXPECT_TRUE(mailboxes_.Files().empty());
  });
}

TEST_F(MailboxExhaustion, OfAddressSpaceIsSaidWhenOneIsMadeOrOpened) {
  InChild([&] {
    // 16 GiB of addresses, of which no more than a few have memory.
    MailboxOptions options = Options(MailboxCapacity::Unbounded(), kMiB);
    options.max_memory_bytes = 64 * kMiB;
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
        Mailbox::Create(kAddress, options);
    ASSERT_TRUE(mailbox.ok()) << mailbox.status();
    uint64_t pages = 0;
    ASSERT_TRUE(std::ifstream("/proc/self/statm") >> pages);
    LowerLimit(RLIMIT_AS, pages * static_cast<uint64_t>(getpagesize()) +
                              (uint64_t{1} << 30));
    EXPECT_EQ(Mailbox::Open(kAddress).status().code(), kExhausted);
    EXPECT_EQ(Mailbox::Create("mailbox:another", options).status().code(),
              kExhausted);
    EXPECT_EQ(mailboxes_.Files().count("another"), 0u);
    EXPECT_TRUE((*mailbox)->TrySend("goes on").ok());
  });
}

// Runs `step` with room for no, one, two, ... more descriptors until it
// succeeds; every failure before must be the right one.
void WithFewDescriptors(const std::function<absl::Status()>& step) {
  const int first_free = dup(STDERR_FILENO);
  close(first_free);
  for (int room = 0; room < 20; ++room) {
    LowerLimit(RLIMIT_NOFILE, static_cast<rlim_t>(first_free + room));
    const absl::Status status = step();
    LowerLimit(RLIMIT_NOFILE, 100);
    if (status.ok()) {
      EXPECT_GT(room, 0);
      return;
    }
    EXPECT_EQ(status.code(), kExhausted) << room << ": " << status;
  }
  ADD_FAILURE() << "does not succeed at all";
}

TEST_F(MailboxExhaustion, OfDescriptorsIsSaidWhenOneIsMade) {
  InChild([&] {
    WithFewDescriptors([&] {
      const absl::Status status = Mailbox::Create(kAddress).status();
      if (!status.ok()) {
        EXPECT_NE(access(mailboxes_.Path("starving").c_str(), F_OK), 0);
      }
      return status;
    });
  });
}

TEST_F(MailboxExhaustion, OfDescriptorsIsSaidWhenOneIsOpened) {
  InChild([] { EXPECT_TRUE(Mailbox::Create(kAddress).ok()); });
  // Whom a newcomer has to watch.
  ChildProcess other([](Conversation& test) {
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox = Mailbox::Open(kAddress);
    EXPECT_TRUE(mailbox.ok()) << mailbox.status();
    test.Say("open");
    test.Hear();
  });
  ASSERT_EQ(other.conversation().Hear(), "open");
  InChild([] {
    WithFewDescriptors([] { return Mailbox::Open(kAddress).status(); });
  });
}

}  // namespace
}  // namespace grpc_shm
