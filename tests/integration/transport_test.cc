// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/transport_test.h"

#include <utility>

#include "absl/time/clock.h"
#include "tests/integration/payload.h"

namespace grpc_shm {
namespace testing {

void TransportTest::StartServer(const ServerConfig& config) {
  absl::StatusOr<std::unique_ptr<TestServer>> server =
      TestServer::Start(GetParam(), config);
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
}

ChannelPtr TransportTest::NewChannel(grpc::ChannelArguments arguments) {
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return server_->NewChannel(arguments);
}

std::vector<Transport> ShmTransports() {
  return {Transport::kShm, Transport::kShmTyped, Transport::kShmInline,
          Transport::kShmUniversal};
}

std::vector<Transport> ConnectedTransports() {
  std::vector<Transport> transports = ShmTransports();
  transports.push_back(Transport::kUnix);
  return transports;
}

std::vector<Transport> TransportsBetweenProcesses() {
  std::vector<Transport> transports = ConnectedTransports();
  transports.push_back(Transport::kMailbox);
  transports.push_back(Transport::kMailboxUniversal);
  return transports;
}

std::vector<Transport> AllTransports() {
  std::vector<Transport> transports = TransportsBetweenProcesses();
  transports.push_back(Transport::kInproc);
  return transports;
}

std::unique_ptr<grpc::ClientContext> NewContext(absl::Duration timeout) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  return context;
}

std::unique_ptr<grpc::ClientContext> NewContext(const Script& script,
                                                absl::Duration timeout) {
  auto context = NewContext(timeout);
  AddScript(script, context.get());
  return context;
}

void AddScript(const Script& script, grpc::ClientContext* context) {
  context->AddMetadata("script-bin", script.SerializeAsString());
}

EchoRequest PatternRequest(size_t bytes, uint32_t seed) {
  EchoRequest request;
  request.set_payload(MakePayload(bytes, seed));
  return request;
}

grpc::Status CallUnary(const ChannelPtr& channel, grpc::ClientContext* context,
                       const EchoRequest& request, EchoReply* reply) {
  EchoReply ignored;
  auto call = StartCall(StubFlavour::kSync, UNARY, channel, context, request);
  call->Read(reply == nullptr ? &ignored : reply);
  return call->Finish();
}

grpc::Status CallUnary(const ChannelPtr& channel, const Script& script) {
  return CallUnary(channel, NewContext(script).get());
}

}  // namespace testing
}  // namespace grpc_shm
