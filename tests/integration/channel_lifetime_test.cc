// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <malloc.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"
#include "tests/integration/worker_pool.h"
#include "transport/channel.h"
#include "transport/options.h"

namespace grpc_shm {
namespace testing {
namespace {

using ChannelLifetimeTest = TransportTest;

TEST_P(ChannelLifetimeTest, MayEndBeforeItsCalls) {
  StartServer();
  for (StubFlavour stub :
       {StubFlavour::kSync, StubFlavour::kAsync, StubFlavour::kGeneric}) {
    SCOPED_TRACE(StubFlavourName(stub));
    ChannelPtr channel = NewChannel();
    auto context = NewContext();
    auto call = StartCall(stub, BIDI, channel, context.get());
    // The stub inside the call still owns the channel; ours is gone.
    channel.reset();
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(call->Write(PatternRequest(100, i)));
      EchoReply reply;
      ASSERT_TRUE(call->Read(&reply));
      EXPECT_TRUE(IsPayload(reply.payload(), 100, i));
    }
    EXPECT_TRUE(call->WritesDone());
    EXPECT_THAT(call->Finish(), IsOk());
  }
}

// A call in gRPC keeps what it needs alive, also when channel and stub are
// both gone.
TEST_P(ChannelLifetimeTest, AndItsStubsMayEndBeforeTheCalls) {
  StartServer();
  auto context = NewContext(MakeScript("k"));
  std::unique_ptr<grpc::ClientReaderWriter<EchoRequest, EchoReply>> stream;
  {
    ChannelPtr channel = NewChannel();
    stream = EchoService::NewStub(channel)->Bidi(context.get());
  }
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(stream->Write(PatternRequest(100, i)));
    EchoReply reply;
    ASSERT_TRUE(stream->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 100, i));
  }
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_THAT(stream->Finish(), IsOk());
}

TEST_P(ChannelLifetimeTest, MayEndWhileTheServerHoldsItsCall) {
  StartServer();
  for (int i = 0; i < 20; ++i) {
    const std::string key = absl::StrCat("held ", i);
    auto context = NewContext(MakeScript(key, {WaitForCancellation()}));
    std::unique_ptr<grpc::ClientReaderWriter<EchoRequest, EchoReply>> stream;
    {
      ChannelPtr channel = NewChannel();
      stream = EchoService::NewStub(channel)->Bidi(context.get());
    }
    EXPECT_NE(server().AwaitEvent(key, "started"), 0);
    context->TryCancel();
    EXPECT_THAT(stream->Finish(), HasCode(grpc::StatusCode::CANCELLED));
    EXPECT_NE(server().AwaitEvent(key, "cancelled"), 0);
  }
}

TEST_P(ChannelLifetimeTest, MayEndInACallbackOfItsOwnCall) {
  StartServer();
  for (int i = 0; i < 50; ++i) {
    auto channel = std::make_unique<ChannelPtr>(NewChannel());
    auto stub = EchoService::NewStub(*channel);
    auto context = NewContext();
    const EchoRequest request = PatternRequest(100, i);
    EchoReply reply;
    PendingOp ended;
    stub->async()->Unary(context.get(), &request, &reply,
                         [&](const grpc::Status& status) {
                           EXPECT_THAT(status, IsOk());
                           stub.reset();
                           channel.reset();
                           ended.Complete(true);
                         });
    ended.Wait();
    EXPECT_TRUE(IsPayload(reply.payload(), 100, i));
  }
}

TEST_P(ChannelLifetimeTest, MayBeWithoutAnyCall) {
  StartServer();
  for (int i = 0; i < 50; ++i) NewChannel();
  EXPECT_THAT(CallUnary(NewChannel()), IsOk());
}

TEST_P(ChannelLifetimeTest, ContextMayOutliveEverything) {
  StartServer();
  auto context = NewContext();
  {
    ChannelPtr channel = NewChannel();
    EXPECT_THAT(CallUnary(channel, context.get()), IsOk());
  }
  RemoveServer();
  context->TryCancel();
  EXPECT_EQ(context->GetServerTrailingMetadata().count("none"), 0u);
}

GRPC_SHM_INSTANTIATE(ChannelLifetimeTest, AllTransports);

// gRPC keeps the server's half of each in-process channel until that server
// ends, and the one behind all channels never does.
TEST(ManyChannels, LeaveNothingBehind) {
  const auto use = [](int channels) {
    for (int i = 0; i < channels; ++i) {
      grpc::ChannelArguments arguments;
      arguments.SetInt(kTypedCallsArg, i % 2);
      EXPECT_THAT(CallUnary(CreateChannel("shm:nobody", nullptr, arguments)),
                  HasCode(grpc::StatusCode::UNAVAILABLE));
    }
  };
  use(100);
  const size_t before = mallinfo2().uordblks;
  use(400);
  EXPECT_LT(mallinfo2().uordblks, before + 400 * size_t{300});
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
