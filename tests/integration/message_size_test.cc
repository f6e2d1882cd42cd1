// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <thread>

#include "absl/synchronization/notification.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;

// Around everything that could be a boundary: of a record, a page, a fragment,
// a credit window, a ring.
std::vector<size_t> Sizes() {
  std::vector<size_t> sizes = {0, 1, 15, 16, 17, 100, 4095, 4096, 4097};
  for (size_t boundary : {8 * kKiB, 16 * kKiB, 32 * kKiB, 64 * kKiB, 128 * kKiB,
                          256 * kKiB, 512 * kKiB, kMiB}) {
    // A message is a few bytes longer than its payload: up to its tag and
    // length, and a fragment is shorter than a ring by its header.
    for (int distance : {-33, -17, -16, -8, -5, -4, -1, 0, 1, 3}) {
      sizes.push_back(boundary + distance);
    }
  }
  return sizes;
}

class MessageSizeTest : public TransportTest {
 protected:
  static ServerConfig Unlimited() {
    ServerConfig config;
    config.set_max_receive_message_bytes(-1);
    config.set_max_send_message_bytes(-1);
    return config;
  }

  ChannelPtr UnlimitedChannel() {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);
    return NewChannel(arguments);
  }

  // Status of an echo of that many bytes.
  grpc::Status Echo(const ChannelPtr& channel, size_t bytes) {
    EchoReply reply;
    const grpc::Status status = CallUnary(channel, NewContext().get(),
                                          PatternRequest(bytes, 7), &reply);
    if (status.ok()) {
      EXPECT_TRUE(IsPayload(reply.payload(), bytes, 7)) << bytes;
    }
    return status;
  }
};

TEST_P(MessageSizeTest, AnyArrivesUnchangedInAUnaryCall) {
  for (ServiceFlavour service : {SYNC, CALLBACK}) {
    ServerConfig config;
    config.set_flavour(service);
    StartServer(config);
    ChannelPtr channel = NewChannel();
    for (size_t bytes : Sizes()) {
      ASSERT_THAT(Echo(channel, bytes), IsOk()) << bytes;
    }
  }
}

TEST_P(MessageSizeTest, AnyArrivesUnchangedInAStream) {
  StartServer();
  auto context = NewContext();
  auto call = StartCall(StubFlavour::kSync, BIDI, NewChannel(), context.get());
  const std::vector<size_t> sizes = Sizes();
  std::thread writer([&] {
    for (size_t i = 0; i < sizes.size(); ++i) {
      EXPECT_TRUE(call->Write(PatternRequest(sizes[i], i)));
    }
    EXPECT_TRUE(call->WritesDone());
  });
  EchoReply reply;
  for (size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_TRUE(call->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), sizes[i], i)) << sizes[i];
  }
  writer.join();
  EXPECT_FALSE(call->Read(&reply));
  EXPECT_THAT(call->Finish(), IsOk());
}

// gRPC serializes what a callback stub sends before the stub returns, so
// applications do not keep it.
TEST_P(MessageSizeTest, ACallbackStubsRequestIsDoneWithAtOnce) {
  StartServer();
  const auto stub = EchoService::NewStub(NewChannel());
  auto context = NewContext();
  EchoReply reply;
  absl::Notification done;
  grpc::Status status;
  {
    EchoRequest request = PatternRequest(2 * kMiB, 7);
    stub->async()->Unary(context.get(), &request, &reply,
                         [&](const grpc::Status& result) {
                           status = result;
                           done.Notify();
                         });
    request.mutable_payload()->assign(request.payload().size(), '!');
  }
  done.WaitForNotification();
  EXPECT_THAT(status, IsOk());
  EXPECT_TRUE(IsPayload(reply.payload(), 2 * kMiB, 7));
}

TEST_P(MessageSizeTest, ManyEmptyMessagesKeepTheirNumber) {
  StartServer();
  auto context = NewContext();
  auto call =
      StartCall(StubFlavour::kSync, CLIENT_STREAM, NewChannel(), context.get());
  constexpr uint64_t kMessages = 5000;
  for (uint64_t i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(call->Write(EchoRequest()));
  }
  ASSERT_TRUE(call->WritesDone());
  EchoReply reply;
  ASSERT_TRUE(call->Read(&reply));
  EXPECT_EQ(reply.summary().messages(), kMessages);
  EXPECT_THAT(call->Finish(), IsOk());
}

TEST_P(MessageSizeTest, SixteenMebibytesArriveBothWays) {
  StartServer(Unlimited());
  ChannelPtr channel = UnlimitedChannel();
  EXPECT_THAT(Echo(channel, 16 * kMiB), IsOk());

  auto context = NewContext();
  auto call = StartCall(StubFlavour::kSync, BIDI, channel, context.get());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(call->Write(PatternRequest(16 * kMiB, i)));
    EchoReply reply;
    ASSERT_TRUE(call->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 16 * kMiB, i));
  }
  EXPECT_TRUE(call->WritesDone());
  EXPECT_THAT(call->Finish(), IsOk());
}

// The serialized request: a tag, four bytes of length, the payload.
constexpr size_t kOverhead = 5;

TEST_P(MessageSizeTest, LimitIsFourMebibytesByDefault) {
  StartServer();
  ChannelPtr channel = NewChannel();
  EXPECT_THAT(Echo(channel, 4 * kMiB - kOverhead), IsOk());
  // gRPC's servers refuse a longer request ...
  EXPECT_THAT(Echo(channel, 4 * kMiB - kOverhead + 1),
              HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
  // ... and its clients a longer answer.
  EXPECT_THAT(
      CallUnary(channel,
                MakeScript("k", {WritePattern(4 * kMiB - kOverhead, 1)})),
      IsOk());
  EXPECT_THAT(
      CallUnary(channel,
                MakeScript("k", {WritePattern(4 * kMiB - kOverhead + 1, 1)})),
      HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_THAT(Echo(channel, 100), IsOk());
}

TEST_P(MessageSizeTest, LimitOfTheServersReceptionIsHonoured) {
  ServerConfig config;
  config.set_max_receive_message_bytes(1000);
  StartServer(config);
  ChannelPtr channel = NewChannel();
  EXPECT_THAT(Echo(channel, 900), IsOk());
  EXPECT_THAT(Echo(channel, 1001),
              HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_THAT(Echo(channel, 300000),
              HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_THAT(Echo(channel, 900), IsOk());
}

TEST_P(MessageSizeTest, LimitOfTheServersSendingIsHonoured) {
  ServerConfig config;
  config.set_max_send_message_bytes(1000);
  StartServer(config);
  ChannelPtr channel = NewChannel();
  EXPECT_THAT(Echo(channel, 900), IsOk());
  EXPECT_THAT(Echo(channel, 1001),
              HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_THAT(Echo(channel, 900), IsOk());
}

TEST_P(MessageSizeTest, LimitOfTheChannelsReceptionIsHonoured) {
  StartServer();
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(1000);
  ChannelPtr channel = NewChannel(arguments);
  EXPECT_THAT(Echo(channel, 900), IsOk());
  EXPECT_THAT(Echo(channel, 1001),
              HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_THAT(Echo(channel, 300000),
              HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_THAT(Echo(channel, 900), IsOk());
}

TEST_P(MessageSizeTest, LimitOfTheChannelsSendingIsHonoured) {
  StartServer();
  grpc::ChannelArguments arguments;
  arguments.SetMaxSendMessageSize(1000);
  ChannelPtr channel = NewChannel(arguments);
  EXPECT_THAT(Echo(channel, 900), IsOk());
  EXPECT_THAT(Echo(channel, 1001),
              HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_THAT(Echo(channel, 900), IsOk());
}

TEST_P(MessageSizeTest, LimitEndsAStreamAtTheMessageThatExceedsIt) {
  ServerConfig config;
  config.set_max_receive_message_bytes(1000);
  StartServer(config);
  ChannelPtr channel = NewChannel();
  auto context = NewContext();
  auto call = StartCall(StubFlavour::kSync, BIDI, channel, context.get());
  EchoReply reply;
  ASSERT_TRUE(call->Write(PatternRequest(900, 1)));
  ASSERT_TRUE(call->Read(&reply));
  EXPECT_TRUE(IsPayload(reply.payload(), 900, 1));
  call->Write(PatternRequest(1001, 2));
  EXPECT_FALSE(call->Read(&reply));
  EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_THAT(Echo(channel, 900), IsOk());
}

TEST_P(MessageSizeTest, LimitsCanBeRaised) {
  ServerConfig config;
  config.set_max_receive_message_bytes(6 * kMiB);
  StartServer(config);
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(6 * kMiB);
  ChannelPtr channel = NewChannel(arguments);
  EXPECT_THAT(Echo(channel, 5 * kMiB), IsOk());
  EXPECT_THAT(Echo(channel, 7 * kMiB),
              HasCode(grpc::StatusCode::RESOURCE_EXHAUSTED));
}

GRPC_SHM_INSTANTIATE(MessageSizeTest, AllTransports);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
