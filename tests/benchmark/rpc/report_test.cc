// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/report.h"

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/benchmark/rpc/summary.h"

namespace grpc_shm::bench {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

const Scenario& ScenarioNamed(absl::string_view name) {
  for (const Scenario& scenario : Scenarios()) {
    if (scenario.name == name) return scenario;
  }
  ADD_FAILURE() << "no scenario " << name;
  return Scenarios().front();
}

Measurement Latencies(double p50_us, double p99_us) {
  Measurement measurement;
  measurement.set_p50_us(p50_us);
  measurement.set_p99_us(p99_us);
  measurement.set_per_s(1e6 / p50_us);
  measurement.set_cpu_us_per_call(p50_us / 2);
  return measurement;
}

Outcome Unary(absl::string_view transport, std::vector<Measurement> rounds) {
  return {&ScenarioNamed("unary"), FindTransport(transport), std::move(rounds),
          0};
}

TEST(Report, ARowIsTheMedianOfTheRounds) {
  Report report;
  Summarise({Unary("unix", {Latencies(90, 400), Latencies(50, 200),
                            Latencies(100, 300)})},
            &report);
  EXPECT_EQ(report.rounds, 3);
  ASSERT_EQ(report.rows.size(), 1u);
  const Row& row = report.rows[0];
  EXPECT_EQ(row.p50_us, 90);
  EXPECT_EQ(row.p99_us, 300);
  EXPECT_EQ(row.cpu_us_per_call, 45);
  EXPECT_EQ(row.bytes, 0);
  EXPECT_EQ(row.threads, 1);
  EXPECT_EQ(row.mb_per_s, std::nullopt);
  EXPECT_EQ(row.idle_cpu_ms, std::nullopt);
  EXPECT_EQ(row.noisy_rounds, 0);
}

TEST(Report, ATransportThatWasNotMeasuredHasNoRow) {
  Report report;
  Summarise({Unary("unix", {}), Unary("tcp", {Latencies(1, 2)})}, &report);
  ASSERT_EQ(report.rows.size(), 1u);
  EXPECT_EQ(report.rows[0].transport, "tcp");
}

TEST(Report, TheFloorIsAsynchronous) {
  Report report;
  Summarise(
      {Unary("floor", {Latencies(5, 6)}), Unary("inproc", {Latencies(50, 60)})},
      &report);
  EXPECT_EQ(report.rows[0].api, "async");
  EXPECT_EQ(report.rows[1].api, "sync");
}

TEST(Report, AGenericClientIsAsynchronous) {
  Report report;
  Summarise({Unary("shm_generic", {Latencies(5, 6)})}, &report);
  EXPECT_EQ(report.rows[0].api, "async");
}

TEST(Report, NoisyRoundsAreMarked) {
  Outcome outcome = Unary("unix", {Latencies(1, 2), Latencies(1, 2)});
  outcome.noisy_rounds = 1;
  Report report;
  Summarise({outcome}, &report);
  EXPECT_THAT(ToTable(report), HasSubstr("unix*"));
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("in 1 of 2 rounds")));
}

TEST(Report, TableComparesToTheUnixSocket) {
  Report report;
  Summarise(
      {Unary("unix", {Latencies(100, 200)}), Unary("tcp", {Latencies(40, 80)})},
      &report);
  const std::string table = ToTable(report);
  EXPECT_THAT(table, HasSubstr("1.00x    1.00x    1.00x\n"));
  EXPECT_THAT(table, HasSubstr("2.50x    2.50x    0.40x\n"));
}

TEST(Report, WithoutTheUnixSocketThereIsNothingToCompareTo) {
  Report report;
  Summarise({Unary("tcp", {Latencies(40, 80)})}, &report);
  EXPECT_THAT(ToTable(report), Not(HasSubstr("1.00x")));
}

TEST(Report, IdleTellsTheProcessesApart) {
  Measurement idle;
  idle.set_idle_cpu_ms(3);
  idle.set_idle_client_cpu_ms(1);
  idle.set_idle_server_cpu_ms(2);
  idle.set_idle_own_switches(0);
  Report report;
  Summarise({{&ScenarioNamed("idle"), FindTransport("unix"), {idle}, 0}},
            &report);
  EXPECT_EQ(report.rows[0].idle_cpu_ms, 3);
  EXPECT_EQ(report.rows[0].bytes, std::nullopt);
  EXPECT_THAT(
      report.notes,
      ElementsAre(
          AllOf(HasSubstr("client 1.00 ms, server 2.00 ms"),
                HasSubstr("context switches of threads named grpc-shm-*: 0"))));
}

TEST(Report, CompanyIsNoted) {
  Measurement links = Latencies(21, 30);
  links.set_alone_p50_us(20);
  links.set_ratio_to_alone(1.05);
  Measurement contended = Latencies(50, 60);
  contended.set_beside_cpu_percent(66.6);
  Report report;
  Summarise(
      {{&ScenarioNamed("unary_idle_links"), FindTransport("shm"), {links}, 0},
       {&ScenarioNamed("unary_contended"),
        FindTransport("shm_never"),
        {contended},
        0}},
      &report);
  EXPECT_EQ(report.rows[0].ratio_to_alone, 1.05);
  EXPECT_THAT(report.notes,
              ElementsAre(AllOf(HasSubstr("1.050 times"), HasSubstr("20.0 us")),
                          AllOf(HasSubstr("shm_never"), HasSubstr("66.6 %"))));
}

// Protobuf's parser is the judge of what is JSON.
google::protobuf::Struct Parse(const std::string& json) {
  google::protobuf::Struct parsed;
  const auto status =
      google::protobuf::util::JsonStringToMessage(json, &parsed);
  EXPECT_TRUE(status.ok()) << json;
  return parsed;
}

std::vector<std::string> KeysOf(const google::protobuf::Struct& object) {
  std::vector<std::string> keys;
  for (const auto& member : object.fields()) keys.push_back(member.first);
  return keys;
}

TEST(Report, JsonHasExactlyTheFieldsItPromises) {
  Report report;
  report.environment.cpu = "a \"quoted\" name";
  report.notes = {"one", "two"};
  Outcome outcome =
      Unary("unix", {Latencies(100.25, 200), Latencies(100.25, 400)});
  outcome.noisy_rounds = 1;
  Summarise({outcome}, &report);
  const google::protobuf::Struct parsed = Parse(ToJson(report));
  EXPECT_THAT(KeysOf(parsed), UnorderedElementsAre("environment", "rows"));
  const auto& environment =
      parsed.fields().at("environment").struct_value().fields();
  EXPECT_EQ(environment.at("cpu").string_value(), "a \"quoted\" name");
  // The two, and one about the noisy round.
  EXPECT_EQ(environment.at("notes").list_value().values_size(), 3);
  ASSERT_EQ(parsed.fields().at("rows").list_value().values_size(), 1);
  const google::protobuf::Struct& row =
      parsed.fields().at("rows").list_value().values(0).struct_value();
  EXPECT_THAT(KeysOf(row),
              UnorderedElementsAre(
                  "scenario", "transport", "api", "bytes", "threads", "p50_us",
                  "p99_us", "per_s", "mb_per_s", "cpu_us_per_call",
                  "idle_cpu_ms", "idle_client_cpu_ms", "idle_server_cpu_ms",
                  "idle_own_switches", "beside_cpu_percent", "alone_p50_us",
                  "ratio_to_alone", "noisy_rounds", "rounds"));
  EXPECT_EQ(row.fields().at("scenario").string_value(), "unary");
  EXPECT_EQ(row.fields().at("p50_us").number_value(), 100.25);
  EXPECT_EQ(row.fields().at("bytes").number_value(), 0);
  EXPECT_EQ(row.fields().at("mb_per_s").kind_case(),
            google::protobuf::Value::kNullValue);
  EXPECT_EQ(row.fields().at("idle_cpu_ms").kind_case(),
            google::protobuf::Value::kNullValue);
  EXPECT_EQ(row.fields().at("noisy_rounds").number_value(), 1);
  const auto& rounds = row.fields().at("rounds").list_value();
  ASSERT_EQ(rounds.values_size(), 2);
  const google::protobuf::Struct& second = rounds.values(1).struct_value();
  EXPECT_THAT(KeysOf(second),
              UnorderedElementsAre("samples", "p50_us", "p99_us", "per_s",
                                   "cpu_us_per_call"));
  EXPECT_EQ(second.fields().at("p99_us").number_value(), 400);
}

TEST(Report, JsonWithoutRowsIsStillJson) {
  EXPECT_EQ(
      Parse(ToJson(Report())).fields().at("rows").list_value().values_size(),
      0);
}

}  // namespace
}  // namespace grpc_shm::bench
