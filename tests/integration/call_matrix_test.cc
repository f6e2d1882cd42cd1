// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Every kind of call with every outcome, over every transport, between every
// client API and every server API.

#include <map>
#include <thread>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::Combine;
using ::testing::Values;
using ::testing::ValuesIn;

constexpr int kMessages = 5;
constexpr size_t kBytes = 1000;

using Parameters = std::tuple<Transport, ServiceFlavour, StubFlavour>;

class CallMatrix : public ::testing::TestWithParam<Parameters> {
 protected:
  // One server for all tests with the same transport and service.
  static void TearDownTestSuite() { Servers().clear(); }

  void SetUp() override {
    const auto [transport, service, stub] = GetParam();
    std::unique_ptr<TestServer>& server = Servers()[{transport, service}];
    if (server == nullptr) {
      ServerConfig config;
      config.set_flavour(service);
      auto started = TestServer::Start(transport, config);
      ASSERT_TRUE(started.ok()) << started.status();
      server = *std::move(started);
    }
    server_ = server.get();
    channel_ = server_->NewChannel({});
    key_ = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  }

  std::unique_ptr<ClientCall> Start(CallKind kind, grpc::ClientContext* context,
                                    const EchoRequest& request) {
    return StartCall(std::get<2>(GetParam()), kind, channel_, context, request);
  }

  void Succeeds(CallKind kind);
  void Fails(CallKind kind);
  void TimesOut(CallKind kind);
  void IsCancelled(CallKind kind);

  TestServer* server_ = nullptr;
  ChannelPtr channel_;
  std::string key_;

 private:
  static std::map<std::pair<Transport, ServiceFlavour>,
                  std::unique_ptr<TestServer>>&
  Servers() {
    static auto* servers = new std::map<std::pair<Transport, ServiceFlavour>,
                                        std::unique_ptr<TestServer>>;
    return *servers;
  }
};

void CallMatrix::Succeeds(CallKind kind) {
  const auto [transport, service, stub] = GetParam();
  const bool generic_service =
      service == ASYNC_GENERIC || service == CALLBACK_GENERIC;
  if (transport == Transport::kInproc &&
      (kind == UNARY || kind == CLIENT_STREAM) && !generic_service &&
      stub == StubFlavour::kCallbackGeneric) {
    // The service sends its answer and the status as one batch; the reactor
    // waits for the status from the start, and asks for the message later.
    GTEST_SKIP() << "gRPC's in-process transport drops a message that comes "
                    "with the status before it is asked for";
  }
  Script script = MakeScript(key_);
  for (Metadatum* metadatum :
       {script.add_initial_metadata(), script.add_trailing_metadata()}) {
    metadatum->set_key("from-server");
    metadatum->set_value("yes");
  }
  auto context = NewContext(script);
  EchoRequest request = PatternRequest(kBytes, 0);
  for (int i = 0; i < kMessages; ++i) request.add_reply_bytes(kBytes + i);
  auto call = Start(kind, context.get(), request);
  EchoReply reply;
  switch (kind) {
    case UNARY:
      ASSERT_TRUE(call->Read(&reply));
      EXPECT_TRUE(IsPayload(reply.payload(), kBytes, 0));
      break;
    case CLIENT_STREAM:
      for (int i = 0; i < kMessages; ++i) {
        ASSERT_TRUE(call->Write(PatternRequest(kBytes, i)));
      }
      ASSERT_TRUE(call->WritesDone());
      ASSERT_TRUE(call->Read(&reply));
      EXPECT_EQ(reply.summary().messages(), kMessages);
      EXPECT_EQ(reply.summary().bytes(), kMessages * kBytes);
      break;
    case SERVER_STREAM:
      for (int i = 0; i < kMessages; ++i) {
        ASSERT_TRUE(call->Read(&reply));
        EXPECT_TRUE(IsPayload(reply.payload(), kBytes + i, i));
      }
      break;
    default:  // half-duplex would be a client stream: this is ping-pong
      for (int i = 0; i < kMessages; ++i) {
        ASSERT_TRUE(call->Write(PatternRequest(kBytes, i)));
        ASSERT_TRUE(call->Read(&reply));
        EXPECT_TRUE(IsPayload(reply.payload(), kBytes, i));
      }
      ASSERT_TRUE(call->WritesDone());
  }
  EXPECT_FALSE(call->Read(&reply));
  EXPECT_THAT(call->Finish(), IsOk());
  EXPECT_EQ(context->GetServerInitialMetadata().count("from-server"), 1u);
  EXPECT_EQ(context->GetServerTrailingMetadata().count("from-server"), 1u);
}

void CallMatrix::Fails(CallKind kind) {
  Script script =
      MakeScript(key_, {FinishWith(grpc::StatusCode::DATA_LOSS, "lost",
                                   std::string("\0\xff details", 10))});
  Metadatum* metadatum = script.add_trailing_metadata();
  metadatum->set_key("from-server");
  metadatum->set_value("sorry");
  auto context = NewContext(script);
  auto call = Start(kind, context.get(), PatternRequest(kBytes, 0));
  EchoReply reply;
  EXPECT_FALSE(call->Read(&reply));
  const grpc::Status status = call->Finish();
  EXPECT_THAT(status, HasCode(grpc::StatusCode::DATA_LOSS));
  EXPECT_EQ(status.error_message(), "lost");
  EXPECT_EQ(status.error_details(), std::string("\0\xff details", 10));
  const auto& trailers = context->GetServerTrailingMetadata();
  ASSERT_EQ(trailers.count("from-server"), 1u);
  EXPECT_EQ(trailers.find("from-server")->second, "sorry");
}

void CallMatrix::TimesOut(CallKind kind) {
  auto context = NewContext(MakeScript(key_, {WaitForCancellation()}),
                            absl::Milliseconds(50));
  auto call = Start(kind, context.get(), PatternRequest(kBytes, 0));
  EchoReply reply;
  EXPECT_FALSE(call->Read(&reply));
  EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::DEADLINE_EXCEEDED));
}

void CallMatrix::IsCancelled(CallKind kind) {
  const std::string key = absl::StrCat(key_, " cancelled");
  auto context = NewContext(MakeScript(key, {WaitForCancellation()}));
  std::thread caller([&] {
    auto call = Start(kind, context.get(), PatternRequest(kBytes, 0));
    EchoReply reply;
    EXPECT_FALSE(call->Read(&reply));
    EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::CANCELLED));
  });
  EXPECT_NE(server_->AwaitEvent(key, "started"), 0);
  context->TryCancel();
  EXPECT_NE(server_->AwaitEvent(key, "cancelled"), 0);
  caller.join();
}

TEST_P(CallMatrix, UnarySucceeds) { Succeeds(UNARY); }
TEST_P(CallMatrix, UnaryFails) { Fails(UNARY); }
TEST_P(CallMatrix, UnaryTimesOut) { TimesOut(UNARY); }
TEST_P(CallMatrix, UnaryIsCancelled) { IsCancelled(UNARY); }
TEST_P(CallMatrix, ClientStreamSucceeds) { Succeeds(CLIENT_STREAM); }
TEST_P(CallMatrix, ClientStreamFails) { Fails(CLIENT_STREAM); }
TEST_P(CallMatrix, ClientStreamTimesOut) { TimesOut(CLIENT_STREAM); }
TEST_P(CallMatrix, ClientStreamIsCancelled) { IsCancelled(CLIENT_STREAM); }
TEST_P(CallMatrix, ServerStreamSucceeds) { Succeeds(SERVER_STREAM); }
TEST_P(CallMatrix, ServerStreamFails) { Fails(SERVER_STREAM); }
TEST_P(CallMatrix, ServerStreamTimesOut) { TimesOut(SERVER_STREAM); }
TEST_P(CallMatrix, ServerStreamIsCancelled) { IsCancelled(SERVER_STREAM); }
TEST_P(CallMatrix, BidiSucceeds) { Succeeds(BIDI); }
TEST_P(CallMatrix, BidiFails) { Fails(BIDI); }
TEST_P(CallMatrix, BidiTimesOut) { TimesOut(BIDI); }
TEST_P(CallMatrix, BidiIsCancelled) { IsCancelled(BIDI); }

std::string ParametersName(const ::testing::TestParamInfo<Parameters>& info) {
  static const char* const kServices[] = {"sync", "async", "callback",
                                          "async_generic", "callback_generic"};
  const auto [transport, service, stub] = info.param;
  return absl::StrCat(TransportName(transport), "_", StubFlavourName(stub),
                      "_to_", kServices[service]);
}

INSTANTIATE_TEST_SUITE_P(Transports, CallMatrix,
                         Combine(ValuesIn(AllTransports()),
                                 Values(SYNC, ASYNC, CALLBACK, ASYNC_GENERIC,
                                        CALLBACK_GENERIC),
                                 ValuesIn(kAllStubFlavours)),
                         ParametersName);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
