// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// gRPC's standard services of a server that our builder has built. The client
// process has both enabled too: the answers must be the server's.

#include "google/protobuf/descriptor.pb.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/health_check_service_interface.h"
#include "tests/integration/byte_buffers.h"
#include "tests/integration/client_reactor.h"
#include "tests/integration/standard_services.pb.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr char kEcho[] = "grpc_shm.testing.EchoService";

class StandardServicesTest : public TransportTest {
 protected:
  static void SetUpTestSuite() {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  }

  void SetUp() override {
    ServerConfig config;
    config.set_default_health_check(true);
    StartServer(config);
    SetServing(kEcho, true);
    SetServing("a service that only the server knows", false);
    channel_ = NewChannel();
  }

  void SetServing(const std::string& service, bool serving) {
    ControlRequest request;
    request.mutable_set_health()->set_service(service);
    request.mutable_set_health()->set_serving(serving);
    ASSERT_EQ(server().Command(request).code(), 0);
  }

  ChannelPtr channel_;
};

// A bidirectional generic call with messages of the caller's choice.
template <class Request, class Reply>
class GenericStream {
 public:
  GenericStream(const ChannelPtr& channel, const std::string& method)
      : stub_(channel), context_(NewContext()) {
    stub_.PrepareBidiStreamingCall(context_.get(), method, {}, &reactor_);
    reactor_.AddHold();
    reactor_.StartCall();
  }

  bool Write(const Request& request) {
    const grpc::ByteBuffer buffer = ToBuffer(request);
    reactor_.StartWrite(&buffer);
    return reactor_.WaitForWrite();
  }

  bool WritesDone() {
    reactor_.StartWritesDone();
    return reactor_.WaitForWritesDone();
  }

  bool Read(Reply* reply) {
    grpc::ByteBuffer buffer;
    reactor_.StartRead(&buffer);
    return reactor_.WaitForRead() && FromBuffer(std::move(buffer), reply);
  }

  grpc::Status Finish() {
    reactor_.RemoveHold();
    return reactor_.WaitForEnd();
  }

  grpc::ClientContext* context() { return context_.get(); }

 private:
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  WaitingReactor<grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>>
      reactor_;
};

grpc::Status Check(const ChannelPtr& channel, const std::string& service,
                   HealthReply* reply) {
  HealthRequest request;
  request.set_service(service);
  grpc::GenericStub stub(channel);
  auto context = NewContext();
  const grpc::ByteBuffer sent = ToBuffer(request);
  grpc::ByteBuffer received;
  grpc::Status status;
  PendingOp ended;
  stub.UnaryCall(context.get(), "/grpc.health.v1.Health/Check", {}, &sent,
                 &received, [&](grpc::Status result) {
                   status = result;
                   ended.Complete(true);
                 });
  ended.Wait();
  if (status.ok()) {
    EXPECT_TRUE(FromBuffer(received, reply));
  }
  return status;
}

TEST_P(StandardServicesTest, HealthIsTheServers) {
  HealthReply reply;
  ASSERT_THAT(Check(channel_, "", &reply), IsOk());
  EXPECT_EQ(reply.status(), HealthReply::SERVING);
  ASSERT_THAT(Check(channel_, kEcho, &reply), IsOk());
  EXPECT_EQ(reply.status(), HealthReply::SERVING);
  ASSERT_THAT(Check(channel_, "a service that only the server knows", &reply),
              IsOk());
  EXPECT_EQ(reply.status(), HealthReply::NOT_SERVING);
  EXPECT_THAT(Check(channel_, "a service that nobody knows", &reply),
              HasCode(grpc::StatusCode::NOT_FOUND));
}

TEST_P(StandardServicesTest, HealthCanBeWatched) {
  GenericStream<HealthRequest, HealthReply> watch(
      channel_, "/grpc.health.v1.Health/Watch");
  HealthRequest request;
  request.set_service(kEcho);
  ASSERT_TRUE(watch.Write(request));
  ASSERT_TRUE(watch.WritesDone());
  HealthReply reply;
  ASSERT_TRUE(watch.Read(&reply));
  EXPECT_EQ(reply.status(), HealthReply::SERVING);
  SetServing(kEcho, false);
  ASSERT_TRUE(watch.Read(&reply));
  EXPECT_EQ(reply.status(), HealthReply::NOT_SERVING);
  SetServing(kEcho, true);
  ASSERT_TRUE(watch.Read(&reply));
  EXPECT_EQ(reply.status(), HealthReply::SERVING);
  watch.context()->TryCancel();
  EXPECT_THAT(watch.Finish(), HasCode(grpc::StatusCode::CANCELLED));
}

TEST_P(StandardServicesTest, ReflectionListsTheServersServices) {
  GenericStream<ReflectionRequest, ReflectionReply> reflection(
      channel_,
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
  ReflectionRequest request;
  request.set_list_services("");
  ASSERT_TRUE(reflection.Write(request));
  ReflectionReply reply;
  ASSERT_TRUE(reflection.Read(&reply));
  std::vector<std::string> names;
  for (const auto& service : reply.services().service()) {
    names.push_back(service.name());
  }
  EXPECT_THAT(names, Contains(kEcho));
  EXPECT_THAT(names, Contains("grpc_shm.testing.AdditionService"));

  request.Clear();
  request.set_file_containing_symbol(kEcho);
  ASSERT_TRUE(reflection.Write(request));
  ASSERT_TRUE(reflection.Read(&reply));
  ASSERT_GE(reply.files().file_descriptor_proto_size(), 1);
  google::protobuf::FileDescriptorProto file;
  ASSERT_TRUE(file.ParseFromString(reply.files().file_descriptor_proto(0)));
  EXPECT_THAT(file.name(), HasSubstr("echo.proto"));

  EXPECT_TRUE(reflection.WritesDone());
  EXPECT_FALSE(reflection.Read(&reply));
  EXPECT_THAT(reflection.Finish(), IsOk());
}

GRPC_SHM_INSTANTIATE(StandardServicesTest, AllTransports);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
