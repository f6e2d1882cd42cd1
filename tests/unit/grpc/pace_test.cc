// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/pace.h"

#include "gtest/gtest.h"

namespace grpc_shm {
namespace {

// How many quick ones it takes until `pace` believes in them.
int ToProve(Pace* pace) {
  int needed = 0;
  for (; !pace->IsQuick(); ++needed) pace->Took(0);
  return needed;
}

TEST(Pace, NothingIsKnownAtFirst) {
  Pace pace;
  EXPECT_FALSE(pace.IsQuick());
  EXPECT_EQ(ToProve(&pace), 2);
}

TEST(Pace, EachSlowOneHasToBeFollowedByMoreQuickOnes) {
  Pace pace;
  ToProve(&pace);
  pace.Took(Pace::kQuickNanos);
  EXPECT_TRUE(pace.IsQuick());
  for (const int expected : {2, 4, 8, 16, 32, 64, 64}) {
    pace.Took(Pace::kHeldUpNanos + 1);
    EXPECT_FALSE(pace.IsQuick());
    EXPECT_EQ(ToProve(&pace), expected);
  }
}

TEST(Pace, WhoIsHeldUpNowAndThenStaysQuick) {
  Pace pace;
  ToProve(&pace);
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 4; ++i) pace.Took(0);
    pace.Took(Pace::kHeldUpNanos);
    EXPECT_TRUE(pace.IsQuick());
  }
}

TEST(Pace, WhoIsHeldUpMoreOftenIsSlow) {
  Pace pace;
  ToProve(&pace);
  int held_up = 0;
  for (; pace.IsQuick(); ++held_up) {
    for (int i = 0; i < 3; ++i) pace.Took(0);
    pace.Took(Pace::kQuickNanos + 1);
  }
  EXPECT_LE(held_up, 16);
}

TEST(Pace, ThePastIsForgottenAfterManyQuickOnes) {
  Pace pace;
  for (int i = 0; i < 5; ++i) pace.Took(Pace::kHeldUpNanos + 1);
  ToProve(&pace);
  for (int i = 0; i < 64; ++i) pace.Took(0);
  pace.Took(Pace::kHeldUpNanos + 1);
  EXPECT_EQ(ToProve(&pace), 2);
}

}  // namespace
}  // namespace grpc_shm
