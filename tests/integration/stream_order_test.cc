// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Small messages in great numbers keep their order, however the threads that
// pass them on take turns. Server and client share a process; the messages go
// through shared memory all the same.

#include <grpcpp/grpcpp.h>

#include <cstring>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/unit/link/temporary_rendezvous.h"
#include "transport/channel.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {
namespace {

constexpr uint64_t kMessages = 300000;

std::string Numbered(uint64_t number) {
  std::string payload(64, '\0');
  std::memcpy(payload.data(), &number, sizeof(number));
  return payload;
}

uint64_t NumberOf(const std::string& payload) {
  uint64_t number = ~uint64_t{0};
  if (payload.size() >= sizeof(number)) {
    std::memcpy(&number, payload.data(), sizeof(number));
  }
  return number;
}

class NumberingService : public EchoService::Service {
 public:
  grpc::Status ServerStream(grpc::ServerContext*, const EchoRequest*,
                            grpc::ServerWriter<EchoReply>* writer) override {
    EchoReply reply;
    for (uint64_t i = 0; i < kMessages; ++i) {
      reply.set_payload(Numbered(i));
      if (!writer->Write(reply)) break;
    }
    return grpc::Status::OK;
  }

  grpc::Status ClientStream(grpc::ServerContext*,
                            grpc::ServerReader<EchoRequest>* reader,
                            EchoReply*) override {
    EchoRequest request;
    uint64_t next = 0;
    while (reader->Read(&request)) {
      if (NumberOf(request.payload()) != next) {
        return grpc::Status(grpc::StatusCode::DATA_LOSS, std::to_string(next));
      }
      ++next;
    }
    return next == kMessages
               ? grpc::Status::OK
               : grpc::Status(grpc::StatusCode::OUT_OF_RANGE, "too few");
  }
};

class StreamOrderTest : public ::testing::Test {
 protected:
  StreamOrderTest() {
    ServerBuilder builder;
    builder.Listen("shm:order").RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = EchoService::NewStub(grpc_shm::CreateChannel("shm:order"));
  }

  TemporaryRendezvous rendezvous_;
  NumberingService service_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<EchoService::Stub> stub_;
};

TEST_F(StreamOrderTest, DownStaysAsItWas) {
  grpc::ClientContext context;
  const auto reader = stub_->ServerStream(&context, EchoRequest());
  EchoReply reply;
  uint64_t next = 0;
  while (reader->Read(&reply)) {
    ASSERT_EQ(NumberOf(reply.payload()), next);
    ++next;
  }
  EXPECT_EQ(next, kMessages);
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(StreamOrderTest, UpStaysAsItWas) {
  grpc::ClientContext context;
  EchoReply reply;
  const auto writer = stub_->ClientStream(&context, &reply);
  EchoRequest request;
  for (uint64_t i = 0; i < kMessages; ++i) {
    request.set_payload(Numbered(i));
    if (!writer->Write(request)) break;
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
