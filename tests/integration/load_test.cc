// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

class LoadTest : public TransportTest {
 protected:
  struct Call {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<ClientCall> call;
  };

  Call StartUnary(const ChannelPtr& channel, const Script& script, size_t bytes,
                  uint32_t seed) {
    Call result;
    result.context = NewContext(script);
    result.call = StartCall(StubFlavour::kCallback, UNARY, channel,
                            result.context.get(), PatternRequest(bytes, seed));
    return result;
  }

  // Each reply must be its own request's payload.
  void ExpectEcho(Call& call, size_t bytes, uint32_t seed) {
    EchoReply reply;
    EXPECT_TRUE(call.call->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), bytes, seed)) << seed;
    EXPECT_THAT(call.call->Finish(), IsOk());
  }
};

TEST_P(LoadTest, AThousandCallsAreOutstandingOnOneChannel) {
  for (ServiceFlavour service : {SYNC, CALLBACK}) {
    ServerConfig config;
    config.set_flavour(service);
    StartServer(config);
    ChannelPtr channel = NewChannel();
    constexpr int kCalls = 1000;
    std::vector<Call> calls;
    for (int i = 0; i < kCalls; ++i) {
      calls.push_back(StartUnary(
          channel, MakeScript("waiting", {WaitForGate("gate"), EchoAll()}), 100,
          i));
    }
    ASSERT_NE(server().AwaitEvent("waiting", "started", kCalls), 0);
    // And there is room for one more.
    EXPECT_THAT(CallUnary(channel), IsOk());
    server().OpenGate("gate");
    for (int i = 0; i < kCalls; ++i) ExpectEcho(calls[i], 100, i);
  }
}

TEST_P(LoadTest, AThousandStreamsAreOpenOnOneChannel) {
  ServerConfig config;
  config.set_flavour(CALLBACK);
  StartServer(config);
  ChannelPtr channel = NewChannel();
  constexpr int kStreams = 1000;
  std::vector<Call> streams(kStreams);
  for (Call& stream : streams) {
    stream.context = NewContext();
    stream.call =
        StartCall(StubFlavour::kCallback, BIDI, channel, stream.context.get());
  }
  EchoReply reply;
  for (int i = 0; i < kStreams; ++i) {
    ASSERT_TRUE(streams[i].call->Write(PatternRequest(100, i)));
  }
  for (int i = 0; i < kStreams; ++i) {
    ASSERT_TRUE(streams[i].call->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 100, i));
    EXPECT_TRUE(streams[i].call->WritesDone());
  }
  for (Call& stream : streams) EXPECT_THAT(stream.call->Finish(), IsOk());
}

TEST_P(LoadTest, TwoHundredChannelsLeadToOneServer) {
  StartServer();
  constexpr int kChannels = 200;
  std::vector<ChannelPtr> channels;
  for (int i = 0; i < kChannels; ++i) channels.push_back(NewChannel());
  for (int round = 0; round < 3; ++round) {
    std::vector<Call> calls;
    for (int i = 0; i < kChannels; ++i) {
      calls.push_back(StartUnary(channels[i], MakeScript("k"), 1000, i));
    }
    for (int i = 0; i < kChannels; ++i) ExpectEcho(calls[i], 1000, i);
  }
}

TEST_P(LoadTest, ManyThreadsShareOneChannel) {
  StartServer();
  ChannelPtr channel = NewChannel();
  constexpr int kThreads = 16;
  constexpr int kCalls = 200;
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kCalls; ++i) {
        const uint32_t seed = thread * kCalls + i;
        EchoReply reply;
        if (CallUnary(channel, NewContext().get(), PatternRequest(i, seed),
                      &reply)
                .ok() &&
            IsPayload(reply.payload(), i, seed)) {
          ++right;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, kThreads * kCalls);
}

// gRPC's interoperability tests have it with 271,828 bytes too.
TEST_P(LoadTest, ConcurrentLargeUnaryCallsKeepTheirBytes) {
  StartServer();
  ChannelPtr channel = NewChannel();
  constexpr int kCalls = 120;
  constexpr size_t kBytes = 271828;
  std::vector<Call> calls;
  for (int i = 0; i < kCalls; ++i) {
    calls.push_back(StartUnary(channel, MakeScript("k"), kBytes, i));
  }
  for (int i = 0; i < kCalls; ++i) ExpectEcho(calls[i], kBytes, i);
}

TEST_P(LoadTest, ChannelsComeAndGo) {
  StartServer();
  for (int i = 0; i < 300; ++i) {
    ChannelPtr channel = NewChannel();
    EchoReply reply;
    ASSERT_THAT(
        CallUnary(channel, NewContext().get(), PatternRequest(100, i), &reply),
        IsOk());
    ASSERT_TRUE(IsPayload(reply.payload(), 100, i));
  }
}

// Calls of all kinds and sizes at once, from several threads.
TEST_P(LoadTest, AMixtureOfEverythingWorks) {
  StartServer();
  ChannelPtr channel = NewChannel();
  std::atomic<int> streams_done{0};
  constexpr int kThreads = 6;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      auto context = NewContext();
      auto stream = StartCall(StubFlavour::kSync, BIDI, channel, context.get());
      for (int i = 0; i < 30; ++i) {
        const size_t bytes = (i % 5) * 50000;
        EchoReply reply;
        ASSERT_TRUE(stream->Write(PatternRequest(bytes, thread)));
        ASSERT_THAT(CallUnary(channel, NewContext().get(),
                              PatternRequest(10, i), &reply),
                    IsOk());
        ASSERT_TRUE(IsPayload(reply.payload(), 10, i));
        ASSERT_TRUE(stream->Read(&reply));
        ASSERT_TRUE(IsPayload(reply.payload(), bytes, thread));
      }
      ASSERT_TRUE(stream->WritesDone());
      ASSERT_THAT(stream->Finish(), IsOk());
      ++streams_done;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(streams_done, kThreads);
}

GRPC_SHM_INSTANTIATE(LoadTest, AllTransports);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
