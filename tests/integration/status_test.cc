// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "absl/strings/str_cat.h"
#include "grpcpp/generic/generic_stub.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

class StatusTest : public TransportTest {
 protected:
  // A channel on which 8 KiB of status fit: sockets allow less by default.
  ChannelPtr StartServerWithRoom(ServiceFlavour service = SYNC) {
    ServerConfig config;
    config.set_flavour(service);
    config.set_max_metadata_bytes(128 * 1024);
    StartServer(config);
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, 128 * 1024);
    return NewChannel(arguments);
  }

  grpc::Status Fail(const ChannelPtr& channel, CallKind kind,
                    const Step& finish) {
    auto context = NewContext(MakeScript("k", {finish}));
    auto call = StartCall(StubFlavour::kSync, kind, channel, context.get());
    EchoReply reply;
    call->Read(&reply);
    return call->Finish();
  }
};

TEST_P(StatusTest, ArrivesUnchangedWithEveryCode) {
  const std::string details("\0\1binary\xfe\xff", 10);
  for (ServiceFlavour service : {SYNC, ASYNC, CALLBACK}) {
    ChannelPtr channel = StartServerWithRoom(service);
    for (int code = 0; code <= 16; ++code) {
      for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
        const std::string message = absl::StrCat("message of code ", code);
        const grpc::Status status =
            Fail(channel, kind,
                 FinishWith(static_cast<grpc::StatusCode>(code), message,
                            code == 0 ? "" : details));
        EXPECT_EQ(status.error_code(), code);
        if (code == 0) continue;  // only a failure has to say more
        EXPECT_EQ(status.error_message(), message);
        EXPECT_EQ(status.error_details(), details);
      }
    }
  }
}

TEST_P(StatusTest, MessageMayBeAnyText) {
  ChannelPtr channel = StartServerWithRoom();
  for (const std::string& message :
       {std::string("gr\xc3\xbc\xc3\x9f dich, \xe4\xb8\x96\xe7\x95\x8c "
                    "\xf0\x9f\x8c\x8d"),
        std::string("100% of %41 %zz"), std::string("two\nlines\r\n\ttab"),
        std::string("a zero \0 inside", 15), std::string(" spaces around "),
        std::string()}) {
    const grpc::Status status =
        Fail(channel, BIDI, FinishWith(grpc::StatusCode::NOT_FOUND, message));
    EXPECT_THAT(status, HasCode(grpc::StatusCode::NOT_FOUND));
    EXPECT_EQ(status.error_message(), message);
  }
}

TEST_P(StatusTest, MessageAndDetailsMayHave8KiB) {
  ChannelPtr channel = StartServerWithRoom();
  const std::string message(8192, 'm');
  const std::string details = MakePayload(8192, 1);
  for (CallKind kind : {UNARY, SERVER_STREAM}) {
    const grpc::Status status =
        Fail(channel, kind,
             FinishWith(grpc::StatusCode::INTERNAL, message, details));
    EXPECT_THAT(status, HasCode(grpc::StatusCode::INTERNAL));
    EXPECT_EQ(status.error_message(), message);
    EXPECT_EQ(status.error_details(), details);
  }
}

TEST_P(StatusTest, FollowsTheMessagesThatWereSentBefore) {
  StartServer();
  auto context = NewContext(MakeScript(
      "k", {WritePattern(1000, 1), WritePattern(0, 2), WritePattern(300000, 3),
            FinishWith(grpc::StatusCode::ABORTED, "then no more")}));
  auto call =
      StartCall(StubFlavour::kSync, SERVER_STREAM, NewChannel(), context.get());
  EchoReply reply;
  ASSERT_TRUE(call->Read(&reply));
  EXPECT_TRUE(IsPayload(reply.payload(), 1000, 1));
  ASSERT_TRUE(call->Read(&reply));
  EXPECT_TRUE(IsPayload(reply.payload(), 0, 2));
  ASSERT_TRUE(call->Read(&reply));
  EXPECT_TRUE(IsPayload(reply.payload(), 300000, 3));
  EXPECT_FALSE(call->Read(&reply));
  const grpc::Status status = call->Finish();
  EXPECT_THAT(status, HasCode(grpc::StatusCode::ABORTED));
  EXPECT_EQ(status.error_message(), "then no more");
}

TEST_P(StatusTest, OfAMethodThatTheServiceDoesNotImplementIsUnimplemented) {
  for (ServiceFlavour service : {SYNC, ASYNC, CALLBACK}) {
    ServerConfig config;
    config.set_flavour(service);
    StartServer(config);
    ChannelPtr channel = NewChannel();
    auto stub = EchoService::NewStub(channel);
    EchoReply reply;
    EXPECT_THAT(stub->Unimplemented(NewContext().get(), EchoRequest(), &reply),
                HasCode(grpc::StatusCode::UNIMPLEMENTED));
    EXPECT_THAT(CallUnary(channel), IsOk());
  }
}

TEST_P(StatusTest, OfAServiceThatTheServerDoesNotHaveIsUnimplemented) {
  StartServer();
  ChannelPtr channel = NewChannel();
  auto stub = AbsentService::NewStub(channel);
  EchoReply reply;
  EXPECT_THAT(stub->Call(NewContext().get(), EchoRequest(), &reply),
              HasCode(grpc::StatusCode::UNIMPLEMENTED));
  EXPECT_THAT(CallUnary(channel), IsOk());
}

TEST_P(StatusTest, OfAMethodThatIsNoMethodNameIsUnimplemented) {
  StartServer();
  ChannelPtr channel = NewChannel();
  grpc::GenericStub stub(channel);
  for (const char* method : {"/", "//", "/no.such.Service/Method", "/x"}) {
    auto context = NewContext();
    grpc::CompletionQueue queue;
    grpc::ByteBuffer request, reply;
    auto call = stub.PrepareUnaryCall(context.get(), method, request, &queue);
    call->StartCall();
    grpc::Status status;
    call->Finish(&reply, &status, nullptr);
    void* tag;
    bool ok;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_THAT(status, HasCode(grpc::StatusCode::UNIMPLEMENTED)) << method;
  }
  EXPECT_THAT(CallUnary(channel), IsOk());
}

GRPC_SHM_INSTANTIATE(StatusTest, AllTransports);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
