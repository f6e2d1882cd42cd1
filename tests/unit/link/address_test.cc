// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/address.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_shm {
namespace {

using ::testing::HasSubstr;

TEST(Address, NamesOfEveryAllowedShapeAreAccepted) {
  const std::string longest(kMaxNameBytes, 'n');
  for (const std::string& name :
       {std::string("greeter"), std::string("a"), std::string("0"),
        std::string("A-b_c.d9"), std::string("-"), std::string("_"),
        std::string("a."), std::string("a..b"), longest}) {
    absl::StatusOr<std::string> parsed = ParseDirectAddress("shm:" + name);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, name);
    EXPECT_EQ(DirectAddress(name), "shm:" + name);
  }
}

TEST(Address, EverythingElseIsRefusedWithWhatIsAllowed) {
  for (const std::string& target :
       {std::string("shm:"),
        std::string("shm:."),
        std::string("shm:.."),
        std::string("shm:.hidden"),
        std::string("shm:a/b"),
        std::string("shm:/a"),
        std::string("shm:///a"),
        std::string("shm:a b"),
        std::string("shm:a\nb"),
        std::string("shm:a:b"),
        std::string("shm:ä"),
        std::string("shm:a\0b", 7),
        std::string("shm:a%2f"),
        "shm:" + std::string(kMaxNameBytes + 1, 'n'),
        std::string("greeter"),
        std::string("SHM:greeter"),
        std::string(" shm:greeter"),
        std::string("unix:greeter"),
        std::string("shm"),
        std::string()}) {
    absl::StatusOr<std::string> parsed = ParseDirectAddress(target);
    ASSERT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument)
        << target;
    EXPECT_THAT(std::string(parsed.status().message()),
                HasSubstr("shm:NAME\", NAME being 1 to 64"));
  }
}

TEST(Address, ARefusalQuotesTheTargetPrintably) {
  EXPECT_THAT(std::string(ParseDirectAddress("shm:a\nb").status().message()),
              HasSubstr("\"shm:a\\nb\""));
}

TEST(Address, ARefusalOfAnEndlessTargetIsShort) {
  const std::string target = "shm:" + std::string(100000, 'x');
  EXPECT_LT(ParseDirectAddress(target).status().message().size(), 400u);
}

TEST(Address, ATargetIsOursByItsSchemeAlone) {
  EXPECT_TRUE(IsDirectTarget("shm:greeter"));
  EXPECT_TRUE(IsDirectTarget("shm:not a name"));
  EXPECT_TRUE(IsDirectTarget("shm:"));
  EXPECT_FALSE(IsDirectTarget("shm"));
  EXPECT_FALSE(IsDirectTarget("SHM:greeter"));
  EXPECT_FALSE(IsDirectTarget("shmem:greeter"));
  EXPECT_FALSE(IsDirectTarget("unix:shm:greeter"));
  EXPECT_FALSE(IsDirectTarget("dns:///localhost:1"));
  EXPECT_FALSE(IsDirectTarget(""));
}

TEST(Address, AMailboxHasNamesOfTheSameShape) {
  absl::StatusOr<std::string> parsed = ParseMailboxAddress("mailbox:work-1");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, "work-1");
  EXPECT_EQ(MailboxAddress(*parsed), "mailbox:work-1");
  EXPECT_TRUE(IsMailboxTarget("mailbox:"));
  EXPECT_FALSE(IsMailboxTarget("shm:mailbox:work"));
  for (const std::string& target :
       {std::string("mailbox:"), std::string("mailbox:.hidden"),
        std::string("mailbox:a/b"), std::string("shm:work"),
        std::string("work"),
        "mailbox:" + std::string(kMaxNameBytes + 1, 'n')}) {
    parsed = ParseMailboxAddress(target);
    ASSERT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument)
        << target;
    EXPECT_THAT(std::string(parsed.status().message()),
                HasSubstr("mailbox:NAME\", NAME being 1 to 64"));
  }
  EXPECT_FALSE(ParseDirectAddress("mailbox:work").ok());
}

}  // namespace
}  // namespace grpc_shm
