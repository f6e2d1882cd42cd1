// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A server that is killed: every outstanding call ends with UNAVAILABLE within
// 100 ms, nothing stays in the client or in the file system.

#include <signal.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/process_resources.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::IsEmpty;

// A call whose end is noted when it happens.
class WatchedCall {
 public:
  // With `keep_writing` the client writes messages of that size without end.
  WatchedCall(CallKind kind, const ChannelPtr& channel, const Script& script,
              size_t keep_writing = 0)
      : context_(NewContext(script)),
        call_(StartCall(StubFlavour::kCallback, kind, channel, context_.get())),
        thread_([this, keep_writing] {
          if (keep_writing > 0) {
            const EchoRequest request = PatternRequest(keep_writing, 1);
            while (call_->Write(request)) {
            }
          }
          EchoReply reply;
          while (call_->Read(&reply)) {
          }
          status_ = call_->Finish();
          ended_ns_ = MonotonicNanos();
        }) {}

  ~WatchedCall() {
    if (thread_.joinable()) thread_.join();
  }

  // Waits for the end, which must be UNAVAILABLE and prompt.
  void ExpectUnavailableSince(int64_t killed_ns) {
    thread_.join();
    EXPECT_THAT(status_, HasCode(grpc::StatusCode::UNAVAILABLE));
    EXPECT_LE(absl::Nanoseconds(ended_ns_ - killed_ns), kPromptly);
  }

 private:
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<ClientCall> call_;
  grpc::Status status_;
  int64_t ended_ns_ = 0;
  std::thread thread_;
};

class ServerDeathTest : public TransportTest {
 protected:
  void SetUp() override {
    config_.add_addresses(NewAddress(GetParam()));
    config_.set_max_receive_message_bytes(-1);
    StartServer(config_);
    channel_ = NewChannel();
    ASSERT_THAT(CallUnary(channel_), IsOk());
  }

  // Kills the server, and returns when.
  int64_t Kill() { return server().process()->Kill(); }

  // The next server is found by the same channel.
  void ExpectTheNextServerWorks() {
    // A call that gRPC has written to a dead socket fails, waiting or not. A
    // mailbox outlives its servers.
    if (!IsMailbox(GetParam()) &&
        channel_->GetState(false) == GRPC_CHANNEL_READY) {
      channel_->WaitForStateChange(GRPC_CHANNEL_READY,
                                   absl::ToChronoTime(absl::Now() + kPatience));
    }
    StartServer(config_);
    auto context = NewContext();
    context->set_wait_for_ready(true);
    EXPECT_THAT(CallUnary(channel_, context.get()), IsOk());
    EXPECT_THAT(CallUnary(channel_), IsOk());
  }

  ServerConfig config_;
  ChannelPtr channel_;
};

// Where the channel's state is that of its connection.
using ConnectionDeathTest = ServerDeathTest;

TEST_P(ConnectionDeathTest, WhileItIsIdleIsSeenByTheChannel) {
  const int64_t killed = Kill();
  EXPECT_TRUE(channel_->WaitForStateChange(
      GRPC_CHANNEL_READY, absl::ToChronoTime(absl::Now() + kPatience)));
  EXPECT_LE(absl::Nanoseconds(MonotonicNanos() - killed), kPromptly);
  EXPECT_THAT(CallUnary(channel_), HasCode(grpc::StatusCode::UNAVAILABLE));
  ExpectTheNextServerWorks();
}

TEST_P(ServerDeathTest, EndsUnaryCalls) {
  std::vector<std::unique_ptr<WatchedCall>> calls;
  constexpr int kCalls = 20;
  for (int i = 0; i < kCalls; ++i) {
    calls.push_back(std::make_unique<WatchedCall>(
        UNARY, channel_, MakeScript("waiting", {WaitForCancellation()})));
  }
  ASSERT_NE(server().AwaitEvent("waiting", "started", kCalls), 0);
  const int64_t killed = Kill();
  for (auto& call : calls) call->ExpectUnavailableSince(killed);
  ExpectTheNextServerWorks();
}

TEST_P(ServerDeathTest, EndsIdleStreams) {
  std::vector<std::unique_ptr<WatchedCall>> calls;
  for (CallKind kind : {CLIENT_STREAM, SERVER_STREAM, BIDI}) {
    calls.push_back(std::make_unique<WatchedCall>(
        kind, channel_, MakeScript("waiting", {WaitForCancellation()})));
  }
  ASSERT_NE(server().AwaitEvent("waiting", "started", 3), 0);
  const int64_t killed = Kill();
  for (auto& call : calls) call->ExpectUnavailableSince(killed);
  ExpectTheNextServerWorks();
}

TEST_P(ServerDeathTest, EndsAStreamThatTheClientWrites) {
  WatchedCall call(CLIENT_STREAM, channel_, MakeScript("reader", {ReadAll()}),
                   50000);
  ASSERT_NE(server().AwaitEvent("reader", "read", 10), 0);
  call.ExpectUnavailableSince(Kill());
  ExpectTheNextServerWorks();
}

TEST_P(ServerDeathTest, EndsAStreamWhoseWriterIsBlocked) {
  WatchedCall call(CLIENT_STREAM, channel_,
                   MakeScript("deaf", {WaitForCancellation()}), 100000);
  ASSERT_NE(server().AwaitEvent("deaf", "started"), 0);
  call.ExpectUnavailableSince(Kill());
  ExpectTheNextServerWorks();
}

TEST_P(ServerDeathTest, EndsAStreamThatTheServerWrites) {
  WatchedCall call(SERVER_STREAM, channel_,
                   MakeScript("writer", {WriteUntilFailure(50000)}));
  ASSERT_NE(server().AwaitEvent("writer", "written", 10), 0);
  call.ExpectUnavailableSince(Kill());
  ExpectTheNextServerWorks();
}

TEST_P(ServerDeathTest, EndsACallInTheMiddleOfALargeMessage) {
  // Message after message: the server is killed within one of them.
  WatchedCall up(CLIENT_STREAM, channel_, MakeScript("up", {ReadAll()}),
                 16 << 20);
  ASSERT_NE(server().AwaitEvent("up", "read"), 0);
  up.ExpectUnavailableSince(Kill());
  ExpectTheNextServerWorks();
  WatchedCall down(SERVER_STREAM, channel_,
                   MakeScript("down", {WriteUntilFailure(4000000)}));
  ASSERT_NE(server().AwaitEvent("down", "written"), 0);
  down.ExpectUnavailableSince(Kill());
  ExpectTheNextServerWorks();
}

TEST_P(ServerDeathTest, WhileItWasStoppedEndsItsCalls) {
  WatchedCall unary(UNARY, channel_,
                    MakeScript("waiting", {WaitForCancellation()}));
  WatchedCall writer(CLIENT_STREAM, channel_,
                     MakeScript("waiting", {ReadAll()}), 50000);
  ASSERT_NE(server().AwaitEvent("waiting", "started", 2), 0);
  server().process()->Stop();
  const int64_t killed = Kill();
  unary.ExpectUnavailableSince(killed);
  writer.ExpectUnavailableSince(killed);
  ExpectTheNextServerWorks();
}

// A stopped server's kernel accepts connections; nobody shakes hands.
TEST_P(ConnectionDeathTest, DuringTheHandshakeEndsTheCallsThatWaitForIt) {
  server().process()->Stop();
  ChannelPtr other = NewChannel();
  WatchedCall waiting(UNARY, other, MakeScript("k"));
  ASSERT_TRUE(Eventually(
      [&] { return other->GetState(false) == GRPC_CHANNEL_CONNECTING; }));
  waiting.ExpectUnavailableSince(Kill());
  ExpectTheNextServerWorks();
}

TEST_P(ServerDeathTest, LeavesNothingBehind) {
  // Whatever gRPC and we make once per process is there after the first death.
  Kill();
  ExpectTheNextServerWorks();
  const ProcessResources before = ResourcesOf(getpid());
  for (int i = 0; i < 20; ++i) {
    WatchedCall unary(UNARY, channel_,
                      MakeScript("waiting", {WaitForCancellation()}));
    WatchedCall stream(BIDI, channel_,
                       MakeScript("waiting", {WaitForCancellation()}));
    ASSERT_NE(server().AwaitEvent("waiting", "started", 2), 0);
    const int64_t killed = Kill();
    unary.ExpectUnavailableSince(killed);
    stream.ExpectUnavailableSince(killed);
    if (IsShm(GetParam()) && !IsMailbox(GetParam())) {
      // Not even the dead server's socket, once a client has noticed.
      const std::string& address = config_.addresses(0);
      Eventually([&] { return LeftOf(address).empty(); });
      ASSERT_THAT(LeftOf(address), IsEmpty());
    }
    ExpectTheNextServerWorks();
  }
  ProcessResources after;
  EXPECT_TRUE(Eventually([&] {
    after = ResourcesOf(getpid());
    return after.descriptors <= before.descriptors &&
           after.memfd_mappings <= before.memfd_mappings;
  })) << "before: "
      << before << "; after: " << after;
  // gRPC's own pools breathe by a thread or two; a leak would be twenty.
  EXPECT_LE(after.threads, before.threads + 5);
}

GRPC_SHM_INSTANTIATE(ServerDeathTest, TransportsBetweenProcesses);
GRPC_SHM_INSTANTIATE(ConnectionDeathTest, ConnectedTransports);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
