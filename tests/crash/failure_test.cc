// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Every way in which no link comes about has its code, and a message that names
// the address.

#include <poll.h>
#include <unistd.h>

#include <thread>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "grpcpp/server_builder.h"
#include "tests/crash/client_process.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/transport_test.h"
#include "transport/channel.h"
#include "transport/link/handshake.h"
#include "transport/link/listening_name.h"
#include "transport/options.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<std::string> InvalidAddresses() {
  return {"shm:",
          "shm:a/b",
          "shm:../escape",
          "shm:.hidden",
          "shm:white space",
          "shm:///name",
          "shm:umlaut-\xc3\xa4",
          std::string("shm:zero\0byte", 13),
          "shm:" + std::string(65, 'n')};
}

absl::Status TryListen(const std::string& address) {
  AdditionService::Service service;
  ServerBuilder builder;
  builder.Listen(address).RegisterService(&service);
  absl::Status error;
  auto server = builder.BuildAndStart(&error);
  EXPECT_EQ(server == nullptr, !error.ok());
  return error;
}

absl::Status TryAttach(const std::string& address) {
  AdditionService::Service service;
  auto server = grpc::ServerBuilder().RegisterService(&service).BuildAndStart();
  const absl::Status status = Listener::Attach(server.get(), address).status();
  server->Shutdown();
  return status;
}

void AwaitReadable(int fd) {
  pollfd waiting = {fd, POLLIN, 0};
  poll(&waiting, 1, -1);
}

// A server that shakes hands with one client by `options`, on a thread.
class OneHandshake {
 public:
  OneHandshake(const std::string& name, LinkOptions options) {
    auto listening = ListeningName::Acquire(name, 1);
    EXPECT_TRUE(listening.ok()) << listening.status();
    listening_ = *std::move(listening);
    thread_ = std::thread([this, name, options] {
      AwaitReadable(listening_->fd());
      absl::StatusOr<UniqueFd> socket = Accept(listening_->fd());
      ASSERT_TRUE(socket.ok()) << socket.status();
      AwaitReadable(socket->get());
      status_ = AnswerHello(*std::move(socket), name, options).status();
    });
  }

  absl::Status Join() {
    thread_.join();
    return status_;
  }

 private:
  std::unique_ptr<ListeningName> listening_;
  absl::Status status_;
  std::thread thread_;
};

TEST(Failure, MalformedAddressIsInvalidArgument) {
  for (const std::string& address : InvalidAddresses()) {
    SCOPED_TRACE(address);
    const grpc::Status call = CallUnary(CreateChannel(address));
    EXPECT_THAT(call, HasCode(grpc::StatusCode::INVALID_ARGUMENT));
    EXPECT_THAT(call.error_message(), HasSubstr("shm:"));
    for (const absl::Status& status :
         {TryListen(address), TryAttach(address)}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("shm:"));
    }
  }
}

TEST(Failure, MalformedAddressFailsStreamsAndWaitingCallsToo) {
  ChannelPtr channel = CreateChannel("shm:a/b");
  for (StubFlavour stub : kAllStubFlavours) {
    for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
      auto context = NewContext();
      // To wait would be in vain.
      context->set_wait_for_ready(true);
      auto call = StartCall(stub, kind, channel, context.get());
      EchoReply reply;
      EXPECT_FALSE(call->Read(&reply));
      EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::INVALID_ARGUMENT));
    }
  }
}

TEST(Failure, NobodyListeningIsUnavailable) {
  const std::string address = NewAddress(Transport::kShm);
  const absl::Time start = absl::Now();
  const grpc::Status status = CallUnary(CreateChannel(address));
  EXPECT_THAT(status, HasCode(grpc::StatusCode::UNAVAILABLE));
  EXPECT_THAT(status.error_message(), HasSubstr(address));
  EXPECT_LE(absl::Now() - start, absl::Seconds(5));
}

TEST(Failure, NameThatIsServedAlreadyExists) {
  const std::string address = NewAddress(Transport::kShm);
  auto first = StartServerAt(address);
  for (const absl::Status& status : {TryListen(address), TryAttach(address)}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(address));
  }
  // In another process, too.
  ServerConfig config;
  config.add_addresses(address);
  EXPECT_EQ(TestServer::Start(Transport::kShm, config).status().code(),
            absl::StatusCode::kAlreadyExists);
  // Whoever has it is not disturbed.
  EXPECT_THAT(CallUnary(CreateChannel(address)), IsOk());
  first->process()->Kill();
  auto second = StartServerAt(address);
  EXPECT_THAT(CallUnary(CreateChannel(address)), IsOk());
}

TEST(Failure, AnotherUserIsDenied) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const std::string address = NewAddress(Transport::kShm);
  auto server = StartServerAt(address);
  constexpr uint32_t kNobody = 65534;
  ControlRequest become;
  become.set_become_user(kNobody);

  ChildProcess client("call_driver");
  ASSERT_EQ(client.Command(become).code(), 0);
  Connect(client, address);
  const CallResult result = CallFrom(client);
  EXPECT_EQ(result.code(), grpc::StatusCode::PERMISSION_DENIED)
      << result.message();
  EXPECT_THAT(result.message(), HasSubstr(address));

  ChildProcess stranger("echo_server");
  ASSERT_EQ(stranger.Command(become).code(), 0);
  ControlRequest start;
  start.mutable_start()->add_addresses(NewAddress(Transport::kShm));
  const ControlReply refused = stranger.Command(start);
  EXPECT_EQ(refused.code(),
            static_cast<int>(absl::StatusCode::kPermissionDenied))
      << refused.message();
  EXPECT_THAT(refused.message(), HasSubstr(start.start().addresses(0)));

  EXPECT_THAT(CallUnary(CreateChannel(address)), IsOk());
}

// Somebody who has the name, and never says a word.
TEST(Failure, ServerThatDoesNotShakeHandsIsUnavailableInTime) {
  const std::string address = NewAddress(Transport::kShm);
  auto mute = ListeningName::Acquire(address.substr(4), 1);
  ASSERT_TRUE(mute.ok()) << mute.status();
  grpc::ChannelArguments arguments;
  arguments.SetInt(kHandshakeTimeoutMsArg, 100);
  const absl::Time start = absl::Now();
  const grpc::Status status =
      CallUnary(CreateChannel(address, nullptr, arguments));
  EXPECT_THAT(status, HasCode(grpc::StatusCode::UNAVAILABLE));
  EXPECT_THAT(status.error_message(), HasSubstr(address));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(100));
  EXPECT_LE(absl::Now() - start, absl::Seconds(4));  // the default is 5 s
}

// As many clients as may wait to be accepted.
std::vector<UniqueFd> FillBacklog(const std::string& address) {
  std::vector<UniqueFd> waiting;
  for (;;) {
    absl::StatusOr<UniqueFd> socket = Connect(address.substr(4), LinkOptions());
    if (!socket.ok()) {
      EXPECT_TRUE(absl::IsUnavailable(socket.status())) << socket.status();
      EXPECT_TRUE(IsCrowded(socket.status())) << socket.status();
      return waiting;
    }
    waiting.push_back(*std::move(socket));
  }
}

TEST(Failure, AServerWithAFullBacklogIsWaitedFor) {
  const std::string address = NewAddress(Transport::kShm);
  auto server = ListeningName::Acquire(address.substr(4), /*backlog=*/1);
  ASSERT_TRUE(server.ok()) << server.status();
  const size_t before_us = FillBacklog(address).size();
  ChannelPtr channel = CreateChannel(address);
  EXPECT_EQ(channel->GetState(true), GRPC_CHANNEL_IDLE);
  EXPECT_EQ(channel->GetState(true), GRPC_CHANNEL_CONNECTING);
  UniqueFd ours;
  for (size_t i = 0; i <= before_us; ++i) {
    AwaitReadable((*server)->fd());
    absl::StatusOr<UniqueFd> socket = Accept((*server)->fd());
    ASSERT_TRUE(socket.ok()) << socket.status();
    ours = *std::move(socket);
  }
  AwaitReadable(ours.get());
  auto link = AnswerHello(std::move(ours), address.substr(4), LinkOptions());
  ASSERT_TRUE(link.ok()) << link.status();
  EXPECT_TRUE(
      channel->WaitForConnected(absl::ToChronoTime(absl::Now() + kPatience)));
}

TEST(Failure, ABacklogThatStaysFullIsUnavailableInTime) {
  const std::string address = NewAddress(Transport::kShm);
  auto mute = ListeningName::Acquire(address.substr(4), /*backlog=*/1);
  ASSERT_TRUE(mute.ok()) << mute.status();
  const std::vector<UniqueFd> waiting = FillBacklog(address);
  grpc::ChannelArguments arguments;
  arguments.SetInt(kHandshakeTimeoutMsArg, 100);
  ChannelPtr channel = CreateChannel(address, nullptr, arguments);
  auto patient = NewContext();
  patient->set_wait_for_ready(true);
  auto call = StartCall(StubFlavour::kCallback, UNARY, channel, patient.get());
  const absl::Time start = absl::Now();
  const grpc::Status status = CallUnary(channel);
  EXPECT_THAT(status, HasCode(grpc::StatusCode::UNAVAILABLE));
  EXPECT_THAT(status.error_message(),
              AllOf(HasSubstr(address), HasSubstr("too many clients wait")));
  EXPECT_LE(absl::Now() - start, absl::Seconds(4));  // the default is 20 s
  // The call that waits for ready goes on to wait, and gets to whoever serves
  // the name in the end.
  mute->reset();
  auto server = StartServerAt(address);
  EXPECT_THAT(call->Finish(), IsOk());
}

TEST(Failure, OtherProtocolVersionIsAFailedPrecondition) {
  const std::string address = NewAddress(Transport::kShm);
  LinkOptions options;
  options.protocol_version = kProtocolVersion + 41;
  OneHandshake server(address.substr(4), options);
  const grpc::Status status = CallUnary(CreateChannel(address));
  EXPECT_THAT(status, HasCode(grpc::StatusCode::FAILED_PRECONDITION));
  EXPECT_THAT(
      status.error_message(),
      AllOf(HasSubstr(address), HasSubstr(std::to_string(kProtocolVersion)),
            HasSubstr(std::to_string(kProtocolVersion + 41))));
  EXPECT_EQ(server.Join().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
