// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <map>

#include "absl/strings/str_cat.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr size_t kLargeMetadata = 64 * 1024;

class MetadataTest : public TransportTest {
 protected:
  // Sockets refuse more than 8 KiB unless both sides allow it.
  ChannelPtr StartServerWithRoomForLargeMetadata() {
    ServerConfig config;
    config.set_max_metadata_bytes(4 * kLargeMetadata);
    StartServer(config);
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, 4 * kLargeMetadata);
    return NewChannel(arguments);
  }
};

std::string EveryByte() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

void Add(google::protobuf::RepeatedPtrField<Metadatum>* metadata,
         const std::string& key, const std::string& value) {
  Metadatum* metadatum = metadata->Add();
  metadatum->set_key(key);
  metadatum->set_value(value);
}

template <class Metadata>
std::vector<std::string> Values(const Metadata& metadata,
                                const std::string& key) {
  std::vector<std::string> values;
  const auto range = metadata.equal_range(key);
  for (auto at = range.first; at != range.second; ++at) {
    values.emplace_back(at->second.data(), at->second.size());
  }
  return values;
}

std::multimap<std::string, std::string> ClientMetadata(const EchoReply& reply) {
  std::multimap<std::string, std::string> metadata;
  for (const Metadatum& metadatum : reply.context().client_metadata()) {
    metadata.emplace(metadatum.key(), metadatum.value());
  }
  return metadata;
}

TEST_P(MetadataTest, OfTheClientArrivesUnchanged) {
  StartServer();
  auto context = NewContext(MakeScript("k", {ReportContext()}));
  context->AddMetadata("ascii", "~ all, printable !");
  context->AddMetadata("repeated", "first");
  context->AddMetadata("repeated", "second");
  context->AddMetadata("empty", "");
  context->AddMetadata("bytes-bin", EveryByte());
  context->AddMetadata("bytes-bin", "\n");
  context->AddMetadata("empty-bin", "");
  EchoReply reply;
  ASSERT_THAT(CallUnary(NewChannel(), context.get(), {}, &reply), IsOk());
  const auto metadata = ClientMetadata(reply);
  EXPECT_THAT(Values(metadata, "ascii"), ElementsAre("~ all, printable !"));
  EXPECT_THAT(Values(metadata, "repeated"), ElementsAre("first", "second"));
  EXPECT_THAT(Values(metadata, "empty"), ElementsAre(""));
  EXPECT_THAT(Values(metadata, "bytes-bin"), ElementsAre(EveryByte(), "\n"));
  EXPECT_THAT(Values(metadata, "empty-bin"), ElementsAre(""));
  EXPECT_THAT(Values(metadata, "absent"), IsEmpty());
}

TEST_P(MetadataTest, OfTheServerArrivesUnchanged) {
  StartServer();
  Script script = MakeScript("k");
  for (auto* metadata : {script.mutable_initial_metadata(),
                         script.mutable_trailing_metadata()}) {
    const std::string which =
        metadata == script.mutable_initial_metadata() ? "initial" : "trailing";
    Add(metadata, which, "once");
    Add(metadata, "repeated", which + " first");
    Add(metadata, "repeated", which + " second");
    Add(metadata, "bytes-bin", EveryByte());
  }
  auto context = NewContext(script);
  ASSERT_THAT(CallUnary(NewChannel(), context.get()), IsOk());
  const auto& initial = context->GetServerInitialMetadata();
  const auto& trailing = context->GetServerTrailingMetadata();
  EXPECT_THAT(Values(initial, "initial"), ElementsAre("once"));
  EXPECT_THAT(Values(initial, "repeated"),
              ElementsAre("initial first", "initial second"));
  EXPECT_THAT(Values(initial, "bytes-bin"), ElementsAre(EveryByte()));
  EXPECT_THAT(Values(initial, "trailing"), IsEmpty());
  EXPECT_THAT(Values(trailing, "trailing"), ElementsAre("once"));
  EXPECT_THAT(Values(trailing, "repeated"),
              ElementsAre("trailing first", "trailing second"));
  EXPECT_THAT(Values(trailing, "bytes-bin"), ElementsAre(EveryByte()));
  EXPECT_THAT(Values(trailing, "initial"), IsEmpty());
}

TEST_P(MetadataTest, OfAFailedCallArrivesBothInitialAndTrailing) {
  StartServer();
  for (CallKind kind : {UNARY, BIDI}) {
    Script script =
        MakeScript("k", {FinishWith(grpc::StatusCode::ABORTED, "no")});
    Add(script.mutable_initial_metadata(), "initial", "i");
    Add(script.mutable_trailing_metadata(), "trailing", "t");
    auto context = NewContext(script);
    auto call =
        StartCall(StubFlavour::kAsync, kind, NewChannel(), context.get());
    EchoReply reply;
    EXPECT_FALSE(call->Read(&reply));
    ASSERT_THAT(call->Finish(), HasCode(grpc::StatusCode::ABORTED));
    EXPECT_THAT(Values(context->GetServerInitialMetadata(), "initial"),
                ElementsAre("i"))
        << kind;
    EXPECT_THAT(Values(context->GetServerTrailingMetadata(), "trailing"),
                ElementsAre("t"))
        << kind;
  }
}

TEST_P(MetadataTest, OfTheClientMayHave64KiB) {
  ChannelPtr channel = StartServerWithRoomForLargeMetadata();
  auto context = NewContext(MakeScript("k", {ReportContext()}));
  const std::string binary = MakePayload(kLargeMetadata, 1);
  context->AddMetadata("large-bin", binary);
  EchoReply reply;
  ASSERT_THAT(CallUnary(channel, context.get(), {}, &reply), IsOk());
  EXPECT_THAT(Values(ClientMetadata(reply), "large-bin"), ElementsAre(binary));
}

TEST_P(MetadataTest, OfTheClientMayHave64KiBInAThousandEntries) {
  ChannelPtr channel = StartServerWithRoomForLargeMetadata();
  auto context = NewContext(MakeScript("k", {ReportContext()}));
  std::multimap<std::string, std::string> sent;
  for (int i = 0; i < 1000; ++i) {
    const std::string key = absl::StrCat("key-", i, "-bin");
    sent.emplace(key, MakePayload(kLargeMetadata / 1000, i));
    context->AddMetadata(key, sent.find(key)->second);
  }
  EchoReply reply;
  ASSERT_THAT(CallUnary(channel, context.get(), {}, &reply), IsOk());
  const auto received = ClientMetadata(reply);
  for (const auto& [key, value] : sent) {
    ASSERT_THAT(Values(received, key), ElementsAre(value)) << key;
  }
}

TEST_P(MetadataTest, OfTheServerMayHave64KiBInEachBlock) {
  ChannelPtr channel = StartServerWithRoomForLargeMetadata();
  Script script = MakeScript("k");
  for (Metadatum* metadatum :
       {script.add_initial_metadata(), script.add_trailing_metadata()}) {
    metadatum->set_key("large-bin");
    metadatum->set_pattern_bytes(kLargeMetadata);
  }
  auto context = NewContext(script);
  ASSERT_THAT(CallUnary(channel, context.get()), IsOk());
  const std::string expected = MakePayload(kLargeMetadata, 1);
  EXPECT_THAT(Values(context->GetServerInitialMetadata(), "large-bin"),
              ElementsAre(expected));
  EXPECT_THAT(Values(context->GetServerTrailingMetadata(), "large-bin"),
              ElementsAre(expected));
}

// Initial metadata is not held back until there is a message.
TEST_P(MetadataTest, InitialArrivesBeforeTheFirstMessage) {
  for (ServiceFlavour service : {SYNC, ASYNC, CALLBACK}) {
    ServerConfig config;
    config.set_flavour(service);
    StartServer(config);
    for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
      // A synchronous unary handler cannot send it before its answer.
      if (kind == UNARY && service == SYNC) continue;
      const std::string gate = absl::StrCat("gate", kind);
      Script script = MakeScript(
          gate, {SendInitialMetadata(), WaitForGate(gate), WritePattern(9, 9)});
      Add(script.mutable_initial_metadata(), "early", "bird");
      auto context = NewContext(script);
      auto call =
          StartCall(StubFlavour::kAsync, kind, NewChannel(), context.get());
      ASSERT_TRUE(call->WaitForInitialMetadata()) << kind;
      EXPECT_THAT(Values(context->GetServerInitialMetadata(), "early"),
                  ElementsAre("bird"))
          << kind;
      EXPECT_EQ(server().CountEvents(gate, "written"), 0);
      server().OpenGate(gate);
      EchoReply reply;
      EXPECT_TRUE(call->Read(&reply));
      EXPECT_TRUE(IsPayload(reply.payload(), 9, 9));
      EXPECT_THAT(call->Finish(), IsOk()) << kind;
    }
  }
}

TEST_P(MetadataTest, AuthorityOfTheContextReachesTheServer) {
  StartServer();
  auto context = NewContext(MakeScript("k", {ReportContext()}));
  context->set_authority("somebody.example");
  EchoReply reply;
  ASSERT_THAT(CallUnary(NewChannel(), context.get(), {}, &reply), IsOk());
  EXPECT_EQ(reply.context().authority(), "somebody.example");
}

TEST_P(MetadataTest, BothSidesHaveAPeer) {
  StartServer();
  auto context = NewContext(MakeScript("k", {ReportContext()}));
  EchoReply reply;
  ASSERT_THAT(CallUnary(NewChannel(), context.get(), {}, &reply), IsOk());
  // What it says is each transport's own.
  EXPECT_THAT(reply.context().peer(), Not(IsEmpty()));
  EXPECT_THAT(context->peer(), Not(IsEmpty()));
  RecordProperty("server_sees", reply.context().peer());
  RecordProperty("client_sees", context->peer());
}

GRPC_SHM_INSTANTIATE(MetadataTest, AllTransports);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
