// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <atomic>
#include <thread>

#include "absl/time/clock.h"
#include "grpcpp/completion_queue.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

// An in-process channel has no connectivity: gRPC logs an error and calls it
// SHUTDOWN. So these run where there is a connection.
class ConnectivityTest : public TransportTest {
 protected:
  void SetUp() override { address_ = NewAddress(GetParam()); }

  void StartServerAtAddress() {
    ServerConfig config;
    config.add_addresses(address_);
    StartServer(config);
  }

  ChannelPtr ChannelToAddress() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    // Sockets wait that long before they try again; shm needs not.
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
    return MakeChannel(address_, arguments);
  }

  static std::chrono::system_clock::time_point Within(absl::Duration timeout) {
    return absl::ToChronoTime(absl::Now() + timeout);
  }

  // Follows the channel until it has that state.
  static bool AwaitState(const ChannelPtr& channel,
                         grpc_connectivity_state wanted, bool connect = true) {
    while (true) {
      const grpc_connectivity_state state = channel->GetState(connect);
      if (state == wanted) return true;
      if (!channel->WaitForStateChange(state, Within(kPatience))) return false;
    }
  }

  std::string address_;
};

TEST_P(ConnectivityTest, IsIdleUntilSomebodyWantsTheChannel) {
  StartServerAtAddress();
  ChannelPtr channel = ChannelToAddress();
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_IDLE);
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_IDLE);
  EXPECT_FALSE(channel->WaitForStateChange(GRPC_CHANNEL_IDLE,
                                           Within(absl::Milliseconds(50))));
}

TEST_P(ConnectivityTest, BecomesReadyWhenAskedToConnect) {
  StartServerAtAddress();
  ChannelPtr channel = ChannelToAddress();
  // What it returns is the state before.
  EXPECT_EQ(channel->GetState(true), GRPC_CHANNEL_IDLE);
  EXPECT_TRUE(AwaitState(channel, GRPC_CHANNEL_READY, false));
  EXPECT_THAT(CallUnary(channel), IsOk());
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_READY);
}

TEST_P(ConnectivityTest, IsReadyAfterACall) {
  StartServerAtAddress();
  ChannelPtr channel = ChannelToAddress();
  EXPECT_THAT(CallUnary(channel), IsOk());
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_READY);
}

TEST_P(ConnectivityTest, WaitForConnectedReturnsWhenReady) {
  StartServerAtAddress();
  ChannelPtr channel = ChannelToAddress();
  EXPECT_TRUE(channel->WaitForConnected(Within(kPatience)));
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_READY);
}

TEST_P(ConnectivityTest, WaitForConnectedGivesUpAtItsDeadline) {
  ChannelPtr channel = ChannelToAddress();
  const absl::Time start = absl::Now();
  EXPECT_FALSE(channel->WaitForConnected(Within(absl::Milliseconds(200))));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(200));
}

TEST_P(ConnectivityTest, IsTransientFailureWhenNobodyListens) {
  ChannelPtr channel = ChannelToAddress();
  EXPECT_TRUE(AwaitState(channel, GRPC_CHANNEL_TRANSIENT_FAILURE));
}

TEST_P(ConnectivityTest, WaitForConnectedSeesAServerThatStartsLater) {
  ChannelPtr channel = ChannelToAddress();
  ASSERT_TRUE(AwaitState(channel, GRPC_CHANNEL_TRANSIENT_FAILURE));
  bool connected = false;
  std::thread waiter(
      [&] { connected = channel->WaitForConnected(Within(kPatience)); });
  StartServerAtAddress();
  waiter.join();
  EXPECT_TRUE(connected);
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_READY);
}

TEST_P(ConnectivityTest, LeavesReadyWhenTheServerDiesAndComesBackWithIt) {
  StartServerAtAddress();
  ChannelPtr channel = ChannelToAddress();
  ASSERT_TRUE(channel->WaitForConnected(Within(kPatience)));
  RemoveServer();
  EXPECT_TRUE(
      channel->WaitForStateChange(GRPC_CHANNEL_READY, Within(kPatience)));
  EXPECT_NE(channel->GetState(false), GRPC_CHANNEL_READY);
  StartServerAtAddress();
  EXPECT_TRUE(channel->WaitForConnected(Within(kPatience)));
  EXPECT_THAT(CallUnary(channel), IsOk());
}

TEST_P(ConnectivityTest, LeavesReadyWhenTheServerShutsDown) {
  StartServerAtAddress();
  ChannelPtr channel = ChannelToAddress();
  ASSERT_TRUE(channel->WaitForConnected(Within(kPatience)));
  server().BeginShutdown();
  EXPECT_TRUE(
      channel->WaitForStateChange(GRPC_CHANNEL_READY, Within(kPatience)));
}

TEST_P(ConnectivityTest, NotifiesACompletionQueue) {
  StartServerAtAddress();
  ChannelPtr channel = ChannelToAddress();
  grpc::CompletionQueue queue;
  int mark;
  ASSERT_EQ(channel->GetState(true), GRPC_CHANNEL_IDLE);
  channel->NotifyOnStateChange(GRPC_CHANNEL_IDLE, Within(kPatience), &queue,
                               &mark);
  void* tag;
  bool ok;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(tag, &mark);
  EXPECT_TRUE(ok);
  EXPECT_NE(channel->GetState(false), GRPC_CHANNEL_IDLE);
}

TEST_P(ConnectivityTest, NotifiesAtOnceIfTheStateIsAnotherAlready) {
  StartServerAtAddress();
  ChannelPtr channel = ChannelToAddress();
  ASSERT_TRUE(channel->WaitForConnected(Within(kPatience)));
  grpc::CompletionQueue queue;
  channel->NotifyOnStateChange(GRPC_CHANNEL_IDLE, Within(kPatience), &queue,
                               nullptr);
  void* tag;
  bool ok;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_TRUE(ok);
}

TEST_P(ConnectivityTest, NotifiesWithoutSuccessWhenTheDeadlinePasses) {
  ChannelPtr channel = ChannelToAddress();
  grpc::CompletionQueue queue;
  const absl::Time start = absl::Now();
  channel->NotifyOnStateChange(
      GRPC_CHANNEL_IDLE, Within(absl::Milliseconds(100)), &queue, nullptr);
  void* tag;
  bool ok;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_FALSE(ok);
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(100));
}

// The completion queue waits for a notification that is under way, also when
// its channel is gone.
TEST_P(ConnectivityTest, NotificationOutlivesItsChannel) {
  ChannelPtr channel = ChannelToAddress();
  grpc::CompletionQueue queue;
  channel->NotifyOnStateChange(
      GRPC_CHANNEL_IDLE, Within(absl::Milliseconds(100)), &queue, nullptr);
  channel.reset();
  void* tag;
  bool ok;
  ASSERT_TRUE(queue.Next(&tag, &ok));
}

TEST_P(ConnectivityTest, ManyWaitersAreAllTold) {
  ChannelPtr channel = ChannelToAddress();
  std::vector<std::thread> waiters;
  std::atomic<int> told{0};
  for (int i = 0; i < 20; ++i) {
    waiters.emplace_back([&] {
      if (channel->WaitForConnected(Within(kPatience))) ++told;
    });
  }
  StartServerAtAddress();
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(told, 20);
}

GRPC_SHM_INSTANTIATE(ConnectivityTest, ConnectedTransports);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
