// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <thread>

#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

class StreamTest : public TransportTest {
 protected:
  // Runs `body` against every kind of service.
  void ForEachService(std::function<void(const ChannelPtr&)> body) {
    for (ServiceFlavour service : {SYNC, ASYNC, CALLBACK}) {
      SCOPED_TRACE(ServiceFlavour_Name(service));
      ServerConfig config;
      config.set_flavour(service);
      StartServer(config);
      body(NewChannel());
    }
  }
};

TEST_P(StreamTest, MayBeEmpty) {
  ForEachService([](const ChannelPtr& channel) {
    for (CallKind kind : {CLIENT_STREAM, SERVER_STREAM, BIDI}) {
      auto context = NewContext();
      auto call = StartCall(StubFlavour::kSync, kind, channel, context.get());
      if (kind != SERVER_STREAM) {
        EXPECT_TRUE(call->WritesDone());
      }
      EchoReply reply;
      EXPECT_EQ(call->Read(&reply), kind == CLIENT_STREAM);
      EXPECT_EQ(reply.summary().messages(), 0u);
      EXPECT_THAT(call->Finish(), IsOk());
    }
  });
}

TEST_P(StreamTest, GoesOnAfterTheClientHalfClosed) {
  ForEachService([](const ChannelPtr& channel) {
    auto context =
        NewContext(MakeScript("k", {ReadAll(), WritePattern(10, 1),
                                    WritePattern(20, 2), Summarize()}));
    auto call = StartCall(StubFlavour::kSync, BIDI, channel, context.get());
    ASSERT_TRUE(call->Write(PatternRequest(5, 0)));
    ASSERT_TRUE(call->WritesDone());
    EchoReply reply;
    ASSERT_TRUE(call->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 10, 1));
    ASSERT_TRUE(call->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 20, 2));
    ASSERT_TRUE(call->Read(&reply));
    EXPECT_EQ(reply.summary().bytes(), 5u);
    EXPECT_FALSE(call->Read(&reply));
    EXPECT_THAT(call->Finish(), IsOk());
  });
}

TEST_P(StreamTest, MayBeginWithTheServersMessages) {
  ForEachService([](const ChannelPtr& channel) {
    auto context =
        NewContext(MakeScript("k", {WritePattern(10, 1), EchoAll()}));
    auto call = StartCall(StubFlavour::kSync, BIDI, channel, context.get());
    EchoReply reply;
    ASSERT_TRUE(call->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 10, 1));
    ASSERT_TRUE(call->Write(PatternRequest(20, 2)));
    ASSERT_TRUE(call->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 20, 2));
    EXPECT_TRUE(call->WritesDone());
    EXPECT_THAT(call->Finish(), IsOk());
  });
}

TEST_P(StreamTest, EndsForTheClientWhenTheServerFinishesEarly) {
  ForEachService([](const ChannelPtr& channel) {
    for (CallKind kind : {CLIENT_STREAM, BIDI}) {
      auto context = NewContext(MakeScript(
          "k",
          {Read(1), FinishWith(grpc::StatusCode::OUT_OF_RANGE, "enough")}));
      auto call = StartCall(StubFlavour::kSync, kind, channel, context.get());
      const EchoRequest request = PatternRequest(100000, 0);
      while (call->Write(request)) {
      }
      EchoReply reply;
      EXPECT_FALSE(call->Read(&reply));
      const grpc::Status status = call->Finish();
      EXPECT_THAT(status, HasCode(grpc::StatusCode::OUT_OF_RANGE));
      EXPECT_EQ(status.error_message(), "enough");
    }
    EXPECT_THAT(CallUnary(channel), IsOk());
  });
}

// More than any window takes: the end must come through all the same.
void ExpectEndWithoutReading(const ChannelPtr& channel, grpc::StatusCode code) {
  for (CallKind kind : {CLIENT_STREAM, BIDI}) {
    auto context =
        NewContext(MakeScript("k", {WritePattern(10, 1), FinishWith(code)}));
    auto call = StartCall(StubFlavour::kSync, kind, channel, context.get());
    const EchoRequest request = PatternRequest(50000, 0);
    while (call->Write(request)) {
    }
    EchoReply reply;
    while (call->Read(&reply)) {
    }
    EXPECT_THAT(call->Finish(), HasCode(code)) << kind;
  }
  EXPECT_THAT(CallUnary(channel), IsOk());
}

TEST_P(StreamTest, EndsForTheClientWhenTheServerReadsNothing) {
  if (GetParam() == Transport::kInproc ||
      (IsShm(GetParam()) && !MakesTypedCalls(GetParam()))) {
    GTEST_SKIP() << "gRPC's in-process transport, which a client off the short "
                    "path goes through, lets the client's write wait for a "
                    "server that has finished";
  }
  ForEachService([](const ChannelPtr& channel) {
    ExpectEndWithoutReading(channel, grpc::StatusCode::OK);
    ExpectEndWithoutReading(channel, grpc::StatusCode::ABORTED);
  });
}

TEST_P(StreamTest, MayEndWithOkAlthoughTheClientHasNotHalfClosed) {
  ForEachService([](const ChannelPtr& channel) {
    auto context = NewContext(MakeScript("k", {Read(1), WritePattern(10, 1)}));
    auto call = StartCall(StubFlavour::kSync, BIDI, channel, context.get());
    ASSERT_TRUE(call->Write(PatternRequest(1, 0)));
    EchoReply reply;
    EXPECT_TRUE(call->Read(&reply));
    EXPECT_FALSE(call->Read(&reply));
    EXPECT_THAT(call->Finish(), IsOk());
  });
}

TEST_P(StreamTest, FlowsBothWaysAtOnceInOrder) {
  ForEachService([](const ChannelPtr& channel) {
    auto context = NewContext();
    auto call = StartCall(StubFlavour::kSync, BIDI, channel, context.get());
    constexpr int kMessages = 2000;
    std::thread writer([&] {
      for (int i = 0; i < kMessages; ++i) {
        EXPECT_TRUE(call->Write(PatternRequest(i % 500, i)));
      }
      EXPECT_TRUE(call->WritesDone());
    });
    EchoReply reply;
    int in_order = 0;
    for (int i = 0; i < kMessages && call->Read(&reply); ++i) {
      if (IsPayload(reply.payload(), i % 500, i)) ++in_order;
    }
    EXPECT_EQ(in_order, kMessages);
    writer.join();
    EXPECT_FALSE(call->Read(&reply));
    EXPECT_THAT(call->Finish(), IsOk());
  });
}

// Both sides wait for one another in turn: nothing may be held back.
TEST_P(StreamTest, PlaysPingPong) {
  ForEachService([](const ChannelPtr& channel) {
    auto context = NewContext();
    auto call = StartCall(StubFlavour::kCallback, BIDI, channel, context.get());
    EchoReply reply;
    for (int i = 0; i < 500; ++i) {
      ASSERT_TRUE(call->Write(PatternRequest(64, i)));
      ASSERT_TRUE(call->Read(&reply));
      ASSERT_TRUE(IsPayload(reply.payload(), 64, i));
    }
    EXPECT_TRUE(call->WritesDone());
    EXPECT_FALSE(call->Read(&reply));
    EXPECT_THAT(call->Finish(), IsOk());
  });
}

TEST_P(StreamTest, SharesItsServerWithAnotherService) {
  StartServer();
  ChannelPtr channel = NewChannel();
  auto context = NewContext();
  auto call = StartCall(StubFlavour::kSync, BIDI, channel, context.get());
  auto addition = AdditionService::NewStub(channel);
  EchoReply reply;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(call->Write(PatternRequest(64, i)));
    AddRequest add;
    add.set_left(i);
    add.set_right(1000);
    AddReply sum;
    EXPECT_THAT(addition->Add(NewContext().get(), add, &sum), IsOk());
    EXPECT_EQ(sum.sum(), i + 1000);
    ASSERT_TRUE(call->Read(&reply));
  }
  EXPECT_TRUE(call->WritesDone());
  EXPECT_THAT(call->Finish(), IsOk());
}

// Writes with options that gRPC's streams offer: a message that may wait for
// the next one, a last message with the half-close.
TEST_P(StreamTest, HonoursWriteOptions) {
  StartServer();
  auto stub = EchoService::NewStub(NewChannel());
  auto context = NewContext(MakeScript("k", {ReadAll(), Summarize()}));
  auto stream = stub->Bidi(context.get());
  ASSERT_TRUE(stream->Write(PatternRequest(10, 0),
                            grpc::WriteOptions().set_buffer_hint()));
  ASSERT_TRUE(stream->Write(PatternRequest(10, 1),
                            grpc::WriteOptions().set_no_compression()));
  ASSERT_TRUE(stream->Write(PatternRequest(10, 2),
                            grpc::WriteOptions().set_write_through()));
  stream->WriteLast(PatternRequest(10, 3), grpc::WriteOptions());
  EchoReply reply;
  ASSERT_TRUE(stream->Read(&reply));
  EXPECT_EQ(reply.summary().messages(), 4u);
  EXPECT_EQ(reply.summary().bytes(), 40u);
  EXPECT_FALSE(stream->Read(&reply));
  EXPECT_THAT(stream->Finish(), IsOk());
}

// A client may hold its initial metadata back until the first message.
TEST_P(StreamTest, HonoursCorkedInitialMetadata) {
  StartServer();
  auto stub = EchoService::NewStub(NewChannel());
  auto context = NewContext(MakeScript("corked"));
  context->set_initial_metadata_corked(true);
  auto stream = stub->Bidi(context.get());
  ASSERT_TRUE(stream->Write(PatternRequest(10, 0)));
  EchoReply reply;
  ASSERT_TRUE(stream->Read(&reply));
  EXPECT_TRUE(IsPayload(reply.payload(), 10, 0));
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_THAT(stream->Finish(), IsOk());
}

GRPC_SHM_INSTANTIATE(StreamTest, AllTransports);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
