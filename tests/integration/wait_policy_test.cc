// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// However the two sides wait for one another, what they say is the same.

#include <atomic>
#include <thread>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"
#include "transport/options.h"

namespace grpc_shm {
namespace testing {
namespace {

constexpr WaitPolicy kPolicies[] = {WaitPolicy::kNever, WaitPolicy::kAdaptive,
                                    WaitPolicy::kBusy};

using Parameters = std::tuple<Transport, WaitPolicy, WaitPolicy>;

class WaitPolicyTest : public ::testing::TestWithParam<Parameters> {
 protected:
  void SetUp() override {
    const auto [transport, of_client, of_server] = GetParam();
    ServerConfig config;
    config.set_wait_policy(static_cast<int>(of_server));
    auto server = TestServer::Start(transport, config);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = NewChannel();
  }

  ChannelPtr NewChannel() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(kWaitPolicyArg, static_cast<int>(std::get<1>(GetParam())));
    return server_->NewChannel(arguments);
  }

  static bool Echoes(const ChannelPtr& channel, size_t bytes, uint32_t seed) {
    EchoReply reply;
    return CallUnary(channel, NewContext().get(), PatternRequest(bytes, seed),
                     &reply)
               .ok() &&
           IsPayload(reply.payload(), bytes, seed);
  }

  std::unique_ptr<TestServer> server_;
  ChannelPtr channel_;
};

TEST_P(WaitPolicyTest, KeepsUnaryCallsRight) {
  for (uint32_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(Echoes(channel_, i * 100, i)) << i;
  }
}

TEST_P(WaitPolicyTest, KeepsPingPongRight) {
  auto context = NewContext();
  auto stream = StartCall(StubFlavour::kSync, BIDI, channel_, context.get());
  EchoReply reply;
  for (uint32_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(stream->Write(PatternRequest(i, i)));
    ASSERT_TRUE(stream->Read(&reply));
    ASSERT_TRUE(IsPayload(reply.payload(), i, i));
  }
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_THAT(stream->Finish(), IsOk());
}

TEST_P(WaitPolicyTest, KeepsManyThreadsRight) {
  constexpr int kThreads = 8;
  constexpr int kCalls = 50;
  ChannelPtr other = NewChannel();
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kCalls; ++i) {
        const uint32_t seed = thread * kCalls + i;
        right += Echoes(thread % 2 == 0 ? channel_ : other, i * 10, seed);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, kThreads * kCalls);
}

// Nobody waits awake for this one for long, and it comes all the same.
TEST_P(WaitPolicyTest, HearsOfAnAnswerThatTakesItsTime) {
  auto context =
      NewContext(MakeScript("k", {WaitForGate("gate"), WritePattern(100, 1)}));
  EchoReply reply;
  grpc::Status status;
  std::thread caller(
      [&] { status = CallUnary(channel_, context.get(), {}, &reply); });
  ASSERT_NE(server_->AwaitEvent("k", "started"), 0);
  // Others come and go meanwhile.
  for (uint32_t i = 0; i < 10; ++i) EXPECT_TRUE(Echoes(channel_, 10, i));
  server_->OpenGate("gate");
  caller.join();
  EXPECT_THAT(status, IsOk());
  EXPECT_TRUE(IsPayload(reply.payload(), 100, 1));
}

std::string PolicyName(WaitPolicy policy) {
  static const char* const kNames[] = {"never", "adaptive", "busy"};
  return kNames[static_cast<int>(policy)];
}

std::string ParametersName(const ::testing::TestParamInfo<Parameters>& info) {
  const auto [transport, of_client, of_server] = info.param;
  return absl::StrCat(TransportName(transport), "_", PolicyName(of_client),
                      "_to_", PolicyName(of_server));
}

INSTANTIATE_TEST_SUITE_P(
    Policies, WaitPolicyTest,
    ::testing::Combine(::testing::Values(Transport::kShm,
                                         Transport::kShmUniversal),
                       ::testing::ValuesIn(kPolicies),
                       ::testing::ValuesIn(kPolicies)),
    ParametersName);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
