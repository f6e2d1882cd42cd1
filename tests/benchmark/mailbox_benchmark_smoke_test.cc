// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Runs the benchmark itself. What it does depends on how it is built, and so
// does what must be seen: without optimisation it refuses, else it measures.

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/benchmark/rpc/environment.h"

namespace grpc_shm::bench {
namespace {

using ::testing::HasSubstr;

struct Ended {
  int exit_code = -1;
  std::string output;
};

// Runs the benchmark with `arguments`, waits, and returns what it printed.
Ended RunBenchmark(const std::string& arguments) {
  Ended ended;
  FILE* const pipe = popen(
      absl::StrCat("tests/benchmark/mailbox_benchmark ", arguments, " 2>&1")
          .c_str(),
      "r");
  if (pipe == nullptr) return ended;
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe))
    ended.output += static_cast<char>(c);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) ended.exit_code = WEXITSTATUS(status);
  return ended;
}

TEST(MailboxBenchmark, RefusesABuildWithoutOptimisation) {
  if (!WhyBuildIsUnfit().has_value()) GTEST_SKIP() << "this build is optimised";
  const Ended ended = RunBenchmark("--quick");
  EXPECT_EQ(ended.exit_code, 2) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("-c opt"));
}

TEST(MailboxBenchmark, MeasuresAndWritesJson) {
  if (WhyBuildIsUnfit().has_value())
    GTEST_SKIP() << "this build is not optimised";
  const std::string path =
      absl::StrCat(testing::TempDir(), "/figures.", getpid(), ".json");
  const Ended ended = RunBenchmark(absl::StrCat(
      "--quick --runs=1 --queues=mailbox,boost --scenarios=messages,idle "
      "--json=",
      path));
  EXPECT_EQ(ended.exit_code, 0) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("messages"));
  std::ifstream file(path);
  google::protobuf::Struct figures;
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(text, &figures).ok())
      << text;
  // Four lines of "messages" and one of "idle", with two kinds of queues.
  EXPECT_EQ(figures.fields().at("rows").list_value().values_size(), 10);
}

TEST(MailboxBenchmark, NamesWhatThereIsWhenAskedForWhatThereIsNot) {
  if (WhyBuildIsUnfit().has_value())
    GTEST_SKIP() << "this build is not optimised";
  const Ended ended = RunBenchmark("--queues=pigeonhole");
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.output,
              HasSubstr("mailbox, mailbox_loan, boost, posix_mq"));
}

}  // namespace
}  // namespace grpc_shm::bench
