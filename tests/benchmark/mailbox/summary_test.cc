// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/mailbox/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace grpc_shm::bench::mailbox {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Scenario kMessages = {"messages", RunMessages, 64, 10, 4};
const Scenario kRoundTrip = {"round_trip", RunRoundTrip, 64, 10};

std::vector<Measurement> Rates(const std::vector<double>& rates) {
  std::vector<Measurement> rounds(rates.size());
  for (size_t i = 0; i < rates.size(); ++i) rounds[i].set_per_s(rates[i]);
  return rounds;
}

std::vector<Measurement> Latencies(const std::vector<double>& latencies) {
  std::vector<Measurement> rounds(latencies.size());
  for (size_t i = 0; i < latencies.size(); ++i) {
    rounds[i].set_p50_us(latencies[i]);
    rounds[i].set_per_s(1);
  }
  return rounds;
}

class SummaryTest : public testing::Test {
 protected:
  const QueueKind ours_ = MailboxQueues();
  const QueueKind boost_ = BoostQueues();
  const QueueKind posix_ = PosixQueues();
  Outcomes outcomes_;
  Report report_;
};

TEST_F(SummaryTest, ARowIsTheMedianOfTheRounds) {
  outcomes_.outcomes = {{&kMessages, &boost_, Rates({7, 900, 8}), 0}};
  Summarise(outcomes_, &report_);
  ASSERT_EQ(report_.rows.size(), 1u);
  EXPECT_EQ(report_.rounds, 3);
  EXPECT_EQ(report_.rows[0].per_s, 8);
  EXPECT_EQ(report_.rows[0].threads, 4);
  EXPECT_EQ(report_.rows[0].transport, "boost");
}

TEST_F(SummaryTest, ComparesWithTheBestOfTheOthers) {
  outcomes_.outcomes = {{&kMessages, &ours_, Rates({600}), 0},
                        {&kMessages, &boost_, Rates({100}), 0},
                        {&kMessages, &posix_, Rates({200}), 0},
                        {&kRoundTrip, &ours_, Latencies({2}), 0},
                        {&kRoundTrip, &boost_, Latencies({50}), 0},
                        {&kRoundTrip, &posix_, Latencies({80}), 0}};
  Summarise(outcomes_, &report_);
  EXPECT_THAT(report_.notes,
              ElementsAre(AllOf(HasSubstr("3.00"), HasSubstr("posix_mq")),
                          AllOf(HasSubstr("25.00"), HasSubstr("boost"))));
}

TEST_F(SummaryTest, SaysWhatIsMissing) {
  outcomes_.outcomes = {{&kMessages, &posix_, {}, 0},
                        {&kRoundTrip, &boost_, Latencies({1, 2}), 1}};
  outcomes_.not_allowed = {"too deep"};
  outcomes_.failures = {"too bad"};
  Summarise(outcomes_, &report_);
  EXPECT_EQ(report_.rows.size(), 1u);
  EXPECT_THAT(report_.notes, Contains(HasSubstr("1 of 2 rounds")));
  EXPECT_THAT(report_.notes, Contains("not measured: too deep"));
  EXPECT_THAT(report_.notes, Contains("FAILED too bad"));
}

}  // namespace
}  // namespace grpc_shm::bench::mailbox
