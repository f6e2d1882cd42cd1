// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "absl/strings/str_cat.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

// Whether a transport compresses is its own affair; every setting must be
// accepted and no byte be changed.
class CompressionTest : public TransportTest {
 protected:
  void ExpectEcho(const ChannelPtr& channel, grpc::ClientContext* context) {
    EchoReply reply;
    ASSERT_THAT(CallUnary(channel, context, PatternRequest(100000, 1), &reply),
                IsOk());
    EXPECT_TRUE(IsPayload(reply.payload(), 100000, 1));
  }
};

constexpr grpc_compression_algorithm kAlgorithms[] = {
    GRPC_COMPRESS_NONE, GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP};

TEST_P(CompressionTest, MayBeAskedForByACall) {
  StartServer();
  ChannelPtr channel = NewChannel();
  for (grpc_compression_algorithm algorithm : kAlgorithms) {
    auto context = NewContext();
    context->set_compression_algorithm(algorithm);
    ExpectEcho(channel, context.get());
  }
}

TEST_P(CompressionTest, MayBeAskedForByAChannel) {
  StartServer();
  for (grpc_compression_algorithm algorithm : kAlgorithms) {
    grpc::ChannelArguments arguments;
    arguments.SetCompressionAlgorithm(algorithm);
    ExpectEcho(NewChannel(arguments), NewContext().get());
  }
}

TEST_P(CompressionTest, MayBeAskedForByAHandler) {
  StartServer();
  ChannelPtr channel = NewChannel();
  for (grpc_compression_level level :
       {GRPC_COMPRESS_LEVEL_LOW, GRPC_COMPRESS_LEVEL_MED,
        GRPC_COMPRESS_LEVEL_HIGH}) {
    Script script = MakeScript("k");
    script.set_compression_level(level);
    ExpectEcho(channel, NewContext(script).get());
  }
}

TEST_P(CompressionTest, MayBeAServersDefault) {
  for (grpc_compression_algorithm algorithm : kAlgorithms) {
    ServerConfig config;
    config.set_default_compression_algorithm(algorithm);
    StartServer(config);
    ExpectEcho(NewChannel(), NewContext().get());
  }
}

TEST_P(CompressionTest, OfStreamsKeepsEveryMessage) {
  ServerConfig config;
  config.set_default_compression_algorithm(GRPC_COMPRESS_GZIP);
  StartServer(config);
  auto context = NewContext();
  context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
  auto call = StartCall(StubFlavour::kSync, BIDI, NewChannel(), context.get());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(call->Write(PatternRequest(i * 1000, i)));
    EchoReply reply;
    ASSERT_TRUE(call->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), i * 1000, i));
  }
  EXPECT_TRUE(call->WritesDone());
  EXPECT_THAT(call->Finish(), IsOk());
}

GRPC_SHM_INSTANTIATE(CompressionTest, AllTransports);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
