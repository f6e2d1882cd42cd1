// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/mailbox/mailbox_name_watch.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/mailbox.h"

namespace grpc_shm {
namespace {

using testing::TemporaryMailboxes;

constexpr absl::Duration kPatience = absl::Seconds(20);

// What a watch has told. Shared with it: it may outlive the test by a moment.
class Told {
 public:
  void Tell() {
    absl::MutexLock lock(&mu_);
    ++count_;
  }
  // Forgets it.
  bool Await() {
    absl::MutexLock lock(&mu_);
    const auto some = [this] { return count_ > 0; };
    const bool in_time =
        mu_.AwaitWithTimeout(absl::Condition(&some), kPatience);
    count_ = 0;
    return in_time;
  }
  int count() {
    absl::MutexLock lock(&mu_);
    return count_;
  }

 private:
  absl::Mutex mu_;
  int count_ = 0;
};

class MailboxNameWatchTest : public ::testing::Test {
 protected:
  ~MailboxNameWatchTest() override {
    for (const char* address : {"mailbox:wanted", "mailbox:other"})
      Mailbox::Destroy(address).IgnoreError();
  }

  static MailboxNameWatch Watch(const std::string& name,
                                const std::shared_ptr<Told>& told) {
    absl::StatusOr<MailboxNameWatch> watch =
        MailboxNameWatch::Start(name, [told] { told->Tell(); });
    EXPECT_TRUE(watch.ok()) << watch.status();
    return watch.ok() ? *std::move(watch) : MailboxNameWatch();
  }
  MailboxNameWatch Watch() const { return Watch("wanted", told_); }

  static void Create(const std::string& address) {
    EXPECT_TRUE(Mailbox::Create(address).ok());
  }

  const TemporaryMailboxes mailboxes_;
  const std::shared_ptr<Told> told_ = std::make_shared<Told>();
};

TEST_F(MailboxNameWatchTest, TellsOfTheName) {
  Create("mailbox:other");
  const MailboxNameWatch watch = Watch();
  EXPECT_TRUE(watch.active());
  Create("mailbox:wanted");
  EXPECT_TRUE(told_->Await());
}

TEST_F(MailboxNameWatchTest, TellsOfTheDirectoryIfThereIsNone) {
  MailboxNameWatch watch = Watch();
  Create("mailbox:other");
  EXPECT_TRUE(told_->Await());
  // From now on of the name.
  watch = Watch();
  Create("mailbox:wanted");
  EXPECT_TRUE(told_->Await());
}

TEST_F(MailboxNameWatchTest, TellsOfTheDirectoryIfThereIsAnotherOne) {
  Create("mailbox:other");
  const MailboxNameWatch watch = Watch();
  ASSERT_TRUE(Mailbox::Destroy("mailbox:other").ok());
  Create("mailbox:wanted");
  EXPECT_TRUE(told_->Await());
}

TEST_F(MailboxNameWatchTest, TellsNothingOfOtherNamesNorAfterItsEnd) {
  Create("mailbox:other");
  MailboxNameWatch ended = Watch();
  ended.Stop();
  EXPECT_FALSE(ended.active());
  const MailboxNameWatch watch = Watch();
  // A third one tells when what all could see has been dealt with.
  const auto last = std::make_shared<Told>();
  const MailboxNameWatch last_watch = Watch("last", last);
  Create("mailbox:last");
  EXPECT_TRUE(last->Await());
  EXPECT_TRUE(Mailbox::Destroy("mailbox:last").ok());
  EXPECT_EQ(told_->count(), 0);
}

}  // namespace
}  // namespace grpc_shm
