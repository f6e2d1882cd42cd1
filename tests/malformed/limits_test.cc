// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What clients and servers may take of each other is limited by options, and
// who wants more hears RESOURCE_EXHAUSTED.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/process_resources.h"
#include "tests/integration/transport_test.h"
#include "tests/malformed/health.h"
#include "tests/malformed/raw_link.h"
#include "transport/options.h"

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::HasSubstr;

constexpr auto kExhausted = grpc::StatusCode::RESOURCE_EXHAUSTED;

// On a link that it does not have yet.
grpc::Status CallAnew(VictimServer& victim) {
  return CallUnary(victim.server().NewChannel({}));
}

TEST(LimitsTest, LinksOfAUser) {
  ServerConfig config;
  config.mutable_limits()->set_max_links_per_user(4);
  VictimServer victim(Transport::kShm, config);
  {
    std::vector<RawLink> links;
    for (int i = 0; i < 3; ++i) links.push_back(victim.NewLink());
    const grpc::Status status = CallAnew(victim);
    EXPECT_THAT(status, HasCode(kExhausted));
    EXPECT_THAT(status.error_message(), HasSubstr("limit of 4 links of user"));
    EXPECT_THAT(victim.CallHonestly(), IsOk());
  }
  EXPECT_TRUE(Eventually([&victim] { return CallAnew(victim).ok(); }));
}

TEST(LimitsTest, LinksOfAll) {
  ServerConfig config;
  config.mutable_limits()->set_max_links(4);
  VictimServer victim(Transport::kShm, config);
  {
    std::vector<RawLink> links;
    for (int i = 0; i < 3; ++i) links.push_back(victim.NewLink());
    const grpc::Status status = CallAnew(victim);
    EXPECT_THAT(status, HasCode(kExhausted));
    EXPECT_THAT(status.error_message(), HasSubstr("limit of 4 links"));
  }
  EXPECT_TRUE(Eventually([&victim] { return CallAnew(victim).ok(); }));
}

TEST(LimitsTest, MemoryOfAllLinks) {
  ServerConfig config;
  config.mutable_limits()->set_max_link_bytes(4 << 20);
  VictimServer victim(Transport::kShm, config);
  {
    wire::Hello greedy = GoodHello();
    greedy.set_ring_bytes(64 << 20);
    std::vector<RawLink> links;
    size_t bytes = 0;
    // Each gets what is left, rounded down, until nothing is.
    for (;;) {
      UniqueFd socket = ConnectRaw(victim.socket_path());
      ASSERT_TRUE(SendRaw(socket.get(), greedy.SerializeAsString()));
      absl::optional<RawLink> link = RawLink::ReceiveWelcome(std::move(socket));
      if (!link.has_value()) break;
      bytes += link->segment_bytes();
      links.push_back(*std::move(link));
      ASSERT_LE(bytes, size_t{4} << 20);
    }
    EXPECT_GT(bytes, size_t{3} << 20);
    const grpc::Status status = CallAnew(victim);
    EXPECT_THAT(status, HasCode(kExhausted));
    EXPECT_THAT(status.error_message(), HasSubstr("max_link_bytes"));
    EXPECT_THAT(victim.CallHonestly(), IsOk());
  }
  EXPECT_TRUE(Eventually([&victim] { return CallAnew(victim).ok(); }));
}

class LimitsOnEachWayTest : public TransportTest {};

TEST_P(LimitsOnEachWayTest, CallsOfALink) {
  ServerConfig config;
  config.mutable_limits()->set_max_calls_per_link(2);
  StartServer(config);
  ChannelPtr channel = NewChannel();
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<ClientCall>> calls;
  for (int i = 0; i < 2; ++i) {
    contexts.push_back(NewContext(MakeScript("call", {ReadAll()})));
    calls.push_back(
        StartCall(StubFlavour::kSync, BIDI, channel, contexts.back().get()));
  }
  ASSERT_NE(server().AwaitEvent("call", "started", 2), 0);
  const grpc::Status status = CallUnary(channel);
  EXPECT_THAT(status, HasCode(kExhausted));
  EXPECT_THAT(status.error_message(), HasSubstr("limit of 2 open calls"));
  EXPECT_THAT(CallUnary(NewChannel()), IsOk()) << "it is for each link";
  for (const auto& call : calls) {
    call->WritesDone();
    EXPECT_THAT(call->Finish(), IsOk());
  }
  EXPECT_THAT(CallUnary(channel), IsOk());
}

TEST_P(LimitsOnEachWayTest, MetadataOfACall) {
  ServerConfig config;
  config.mutable_limits()->set_max_metadata_bytes(4000);
  StartServer(config);
  ChannelPtr channel = NewChannel();
  auto context = NewContext();
  context->AddMetadata("key", std::string(5000, 'v'));
  const grpc::Status status = CallUnary(channel, context.get());
  EXPECT_THAT(status, HasCode(kExhausted));
  EXPECT_THAT(status.error_message(), HasSubstr("metadata"));
  EXPECT_THAT(CallUnary(channel), IsOk());
}

TEST_P(LimitsOnEachWayTest, MetadataOfAServer) {
  StartServer();
  grpc::ChannelArguments arguments;
  arguments.SetInt(kMaxMetadataBytesArg, 4000);
  ChannelPtr channel = NewChannel(arguments);
  for (bool trailing : {false, true}) {
    Script script = MakeScript("call");
    auto* const field = trailing ? script.add_trailing_metadata()
                                 : script.add_initial_metadata();
    field->set_key("key");
    field->set_value(std::string(5000, 'v'));
    const grpc::Status status = CallUnary(channel, script);
    EXPECT_THAT(status, HasCode(kExhausted));
    EXPECT_THAT(status.error_message(), HasSubstr("metadata"));
  }
  EXPECT_THAT(CallUnary(channel), IsOk());
}

// Up to two messages are on their way to a call's application, and count no
// more; those behind them do.
constexpr size_t kSmall = 24000;
constexpr size_t kLarge = 60000;
constexpr int kBufferedBytes = 100000;

TEST_P(LimitsOnEachWayTest, BytesThatAServerHasSentToItsClients) {
  StartServer();
  grpc::ChannelArguments arguments;
  arguments.SetInt(kMaxBufferedBytesArg, kBufferedBytes);
  ChannelPtr channel = NewChannel(arguments);
  Script script = MakeScript("first");
  for (uint32_t i = 0; i < 4; ++i)
    *script.add_steps() = WritePattern(kSmall, i);
  auto context = NewContext(script);
  auto first =
      StartCall(StubFlavour::kSync, SERVER_STREAM, channel, context.get());
  ASSERT_NE(server().AwaitEvent("first", "finished"), 0);
  const Script large = MakeScript("large", {WritePattern(kLarge, 1)});
  const grpc::Status status = CallUnary(channel, large);
  EXPECT_THAT(status, HasCode(kExhausted));
  EXPECT_THAT(status.error_message(), HasSubstr("limit of 100000 bytes"));
  EchoReply reply;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(first->Read(&reply));
  EXPECT_FALSE(first->Read(&reply));
  EXPECT_THAT(first->Finish(), IsOk());
  EXPECT_THAT(CallUnary(channel, large), IsOk());
}

TEST_P(LimitsOnEachWayTest, BytesThatClientsHaveSentToAServer) {
  ServerConfig config;
  config.mutable_limits()->set_max_buffered_bytes_per_link(kBufferedBytes);
  StartServer(config);
  ChannelPtr channel = NewChannel();
  auto context =
      NewContext(MakeScript("first", {WaitForGate("read"), ReadAll()}));
  auto first = StartCall(StubFlavour::kSync, BIDI, channel, context.get());
  ASSERT_NE(server().AwaitEvent("first", "started"), 0);
  for (uint32_t i = 0; i < 4; ++i)
    EXPECT_TRUE(first->Write(PatternRequest(kSmall, i)));
  const EchoRequest large = PatternRequest(kLarge, 1);
  const grpc::Status status = CallUnary(channel, NewContext().get(), large);
  EXPECT_THAT(status, HasCode(kExhausted));
  EXPECT_THAT(status.error_message(), HasSubstr("limit of 100000 bytes"));
  server().OpenGate("read");
  first->WritesDone();
  EXPECT_THAT(first->Finish(), IsOk());
  EXPECT_THAT(CallUnary(channel, NewContext().get(), large), IsOk());
}

GRPC_SHM_INSTANTIATE(LimitsOnEachWayTest, ShmTransports);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
