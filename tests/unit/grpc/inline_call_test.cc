// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/inline_call.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/unit/call/link_pair.h"
#include "tests/unit/call/recording_handlers.h"
#include "transport/call/frame.h"
#include "transport/call/session.h"
#include "transport/grpc/inline_host.h"

namespace grpc_shm {
namespace {

class Service : public testing::EchoService::Service {
 public:
  grpc::Status Bidi(grpc::ServerContext*,
                    grpc::ServerReaderWriter<testing::EchoReply,
                                             testing::EchoRequest>*) override {
    ++handled;
    return grpc::Status::OK;
  }

  grpc::Status Unary(grpc::ServerContext*, const testing::EchoRequest*,
                     testing::EchoReply* reply) override {
    ++handled;
    reply->set_payload(std::string(kAnswerBytes, 'a'));
    return grpc::Status::OK;
  }

  static constexpr size_t kAnswerBytes = size_t{2} << 20;

  std::atomic<int> handled{0};
};

// The payload of call 1's answer, read by hand, with credit for all that comes.
std::string ReadAnswer(Link* link) {
  std::string message;
  for (;;) {
    RecordHeader header;
    const std::byte* payload;
    while (link->consumer().Peek(&header, &payload) ==
           RingConsumer::Next::kEmpty) {
      std::this_thread::yield();
    }
    const auto type = static_cast<FrameType>(header.type);
    if (type == FrameType::kMessage) {
      const bool prefixed = header.flags == kMessageBegin;
      const size_t skipped = prefixed ? kMessageLengthBytes : 0;
      message.append(reinterpret_cast<const char*>(payload) + skipped,
                     header.length - skipped);
      const CreditPayload credit{
          static_cast<uint32_t>(header.length - skipped + kFrameCharge)};
      std::byte* const to = link->producer().TryReserve(sizeof(credit));
      std::memcpy(to, &credit, sizeof(credit));
      link->producer().Commit({sizeof(credit),
                               static_cast<uint8_t>(FrameType::kCredit), 0, 0,
                               /*call_id=*/1});
      if (link->producer().Publish()) link->RingDoorbell();
    }
    link->consumer().Pop();
    link->consumer().Release();
    if (link->consumer().TakeProducerWakeup()) link->RingDoorbell();
    if (type == FrameType::kTrailers) break;
  }
  testing::EchoReply reply;
  EXPECT_TRUE(reply.ParseFromString(message));
  return reply.payload();
}

// Tells when the session's threads have begun all that was submitted before.
class Marker : public Job {
 public:
  void Run() override { reached.Notify(); }
  bool IsQuick() const override { return false; }

  absl::Notification reached;
};

class InlineCallTest : public ::testing::Test {
 protected:
  InlineCallTest() {
    server_ = grpc::ServerBuilder().RegisterService(&service_).BuildAndStart();
    host_ = std::make_shared<InlineHost>(
        *server_, std::vector<grpc::Service*>{&service_}, /*max_handlers=*/10,
        /*max_send_message_bytes=*/-1);
    LinkPair pair = MakeLinkPair();
    client_link_ = std::move(pair.client);
    SessionOptions options;
    options.role = SessionOptions::Role::kServer;
    options.address = "mailbox:test";
    options.offers = true;
    session_ = *Session::Start(std::move(pair.server), options, handler_);
  }
  ~InlineCallTest() override {
    session_->Close(absl::CancelledError("test over"));
    host_->AwaitNone();
    server_->Shutdown();
  }

  void AwaitJobs() {
    auto marker = std::make_shared<Marker>();
    session_->Submit(marker);
    marker->reached.WaitForNotification();
  }

  Service service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<InlineHost> host_;
  std::unique_ptr<Link> client_link_;
  const std::shared_ptr<RecordingSession> handler_ =
      std::make_shared<RecordingSession>();
  std::shared_ptr<Session> session_;
};

// A message may arrive as soon as the call is known, and before the thread that
// took it gets to the handler.
TEST_F(InlineCallTest, ThatRunsHereRunsOnce) {
  InlineMethod* const method =
      host_->services().Find("/grpc_shm.testing.EchoService/Bidi");
  ASSERT_NE(method, nullptr);
  absl::StatusOr<std::shared_ptr<Call>> call = session_->PrepareCall(1);
  ASSERT_TRUE(call.ok()) << call.status();
  wire::CallStart start;
  start.set_method(method->name);
  auto inline_call = std::make_shared<InlineCall>(
      *call, start, std::make_shared<const std::string>("nobody"), method,
      host_);
  inline_call->BeginHere();
  ASSERT_TRUE((*call)->Attach(inline_call));
  inline_call->OnReadable();
  AwaitJobs();
  EXPECT_EQ(host_->calls(), 0u);
  inline_call->RunHere();
  AwaitJobs();
  EXPECT_EQ(service_.handled.load(), 1);
}

// The answer is more than the window and the ring hold: the handler's thread
// leaves all the same, and takes nothing along that is still to be sent.
TEST_F(InlineCallTest, IsNotHeldUpByAClientThatDoesNotRead) {
  InlineMethod* const method =
      host_->services().Find("/grpc_shm.testing.EchoService/Unary");
  ASSERT_NE(method, nullptr);
  absl::StatusOr<std::shared_ptr<Call>> call = session_->PrepareCall(1);
  ASSERT_TRUE(call.ok()) << call.status();
  wire::CallStart start;
  start.set_method(method->name);
  auto inline_call = std::make_shared<InlineCall>(
      *call, start, std::make_shared<const std::string>("nobody"), method,
      host_);
  inline_call->BeginHere();
  ASSERT_TRUE((*call)->Attach(inline_call));
  (*call)->Accept(ReceivedMessage::Allocate(0));
  inline_call->RunHere();
  EXPECT_EQ(service_.handled.load(), 1);
  EXPECT_TRUE(ReadAnswer(client_link_.get()) ==
              std::string(Service::kAnswerBytes, 'a'));
}

}  // namespace
}  // namespace grpc_shm
