// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/open_mailboxes.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/mailbox.h"

namespace grpc_shm {
namespace {

constexpr size_t kMaxOpen = 2;

class OpenMailboxesTest : public ::testing::Test {
 protected:
  ~OpenMailboxesTest() override {
    for (const std::string& name : made_) Destroy(name);
  }

  void Make(const std::string& name) {
    EXPECT_TRUE(Mailbox::Create(absl::StrCat("mailbox:", name)).ok());
    made_.push_back(name);
  }
  static void Destroy(const std::string& name) {
    Mailbox::Destroy(absl::StrCat("mailbox:", name)).IgnoreError();
  }

  // The object that Use gives; to be compared, not to be used.
  const Mailbox* Used(const std::string& name) {
    const Mailbox* used = nullptr;
    EXPECT_TRUE(mailboxes_
                    .Use(name,
                         [&used](Mailbox& mailbox) {
                           used = &mailbox;
                           return absl::OkStatus();
                         })
                    .ok());
    return used;
  }

  const testing::TemporaryMailboxes directory_;
  OpenMailboxes mailboxes_{kMaxOpen};
  std::vector<std::string> made_;
};

TEST_F(OpenMailboxesTest, WhatWasUsedStaysOpen) {
  Make("a");
  Make("b");
  const Mailbox* const a = Used("a");
  const Mailbox* const b = Used("b");
  EXPECT_NE(a, b);
  EXPECT_EQ(Used("a"), a);
  EXPECT_EQ(Used("b"), b);
}

TEST_F(OpenMailboxesTest, TheOneThatWasUsedLongestAgoIsClosed) {
  Make("a");
  Make("b");
  Make("c");
  std::weak_ptr<Mailbox> a;
  std::weak_ptr<Mailbox> b;
  for (const auto& [name, kept] :
       {std::make_pair("a", &a), std::make_pair("b", &b)}) {
    auto taken = mailboxes_.Take(name);
    ASSERT_TRUE(taken.ok()) << taken.status();
    *kept = *taken;
    mailboxes_.Keep(*std::move(taken));
  }
  Used("a");
  Used("c");
  EXPECT_FALSE(a.expired());
  EXPECT_TRUE(b.expired());
}

TEST_F(OpenMailboxesTest, WhatUseReturnsIsTheResult) {
  Make("a");
  EXPECT_EQ(
      mailboxes_.Use("a", [](Mailbox&) { return absl::DataLossError(""); }),
      absl::DataLossError(""));
  int uses = 0;
  EXPECT_EQ(mailboxes_
                .Use("none",
                     [&uses](Mailbox&) {
                       ++uses;
                       return absl::OkStatus();
                     })
                .code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(uses, 0);
}

TEST_F(OpenMailboxesTest, AnotherMailboxOfTheNameIsFound) {
  Make("a");
  const auto send = [](Mailbox& mailbox) { return mailbox.TrySend("text"); };
  EXPECT_TRUE(mailboxes_.Use("a", send).ok());
  Destroy("a");
  EXPECT_EQ(mailboxes_.Use("a", send).code(), absl::StatusCode::kNotFound);
  Make("a");
  EXPECT_TRUE(mailboxes_.Use("a", send).ok());
  Destroy("a");
  Make("a");
  EXPECT_TRUE(mailboxes_.Use("a", send).ok())
      << "the one that is known is gone";
  const auto here = Mailbox::Open("mailbox:a");
  ASSERT_TRUE(here.ok());
  EXPECT_EQ((*here)->Describe().waiting, 1u);
}

TEST_F(OpenMailboxesTest, WhoTakesOneHasItAlone) {
  Make("a");
  Used("a");
  auto taken = mailboxes_.Take("a");
  ASSERT_TRUE(taken.ok()) << taken.status();
  (*taken)->Close();
  EXPECT_TRUE(
      mailboxes_.Use("a", [](Mailbox& m) { return m.TrySend("text"); }).ok());
  auto another = mailboxes_.Take("a");
  ASSERT_TRUE(another.ok()) << another.status();
  EXPECT_NE(another->get(), taken->get());
}

TEST_F(OpenMailboxesTest, WhatIsForgottenIsClosed) {
  Make("a");
  auto taken = mailboxes_.Take("a");
  ASSERT_TRUE(taken.ok()) << taken.status();
  const std::weak_ptr<Mailbox> mailbox = *taken;
  mailboxes_.Keep(*std::move(taken));
  EXPECT_FALSE(mailbox.expired());
  mailboxes_.Forget("a");
  EXPECT_TRUE(mailbox.expired());
}

}  // namespace
}  // namespace grpc_shm
