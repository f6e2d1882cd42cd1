// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/inline_call.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
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
    *reply = Answer();
    return grpc::Status::OK;
  }

  static testing::EchoReply Answer() {
    testing::EchoReply answer;
    answer.set_payload(std::string(size_t{2} << 20, 'a'));
    return answer;
  }

  std::atomic<int> handled{0};
};

// The client's side of call 1, by hand.
class Reader {
 public:
  explicit Reader(Link* link) : link_(link) {}

  // Reads a frame, if there is one, and gives credit for what has come, or for
  // `most` bytes of it. False at the end of the call.
  bool Read(uint32_t most) {
    RecordHeader header;
    const std::byte* payload;
    if (link_->consumer().Peek(&header, &payload) !=
        RingConsumer::Next::kEmpty) {
      const auto type = static_cast<FrameType>(header.type);
      if (type == FrameType::kTrailers) return false;
      if (type == FrameType::kMessage) {
        const size_t skipped =
            header.flags == kMessageBegin ? kMessageLengthBytes : 0;
        message_.append(reinterpret_cast<const char*>(payload) + skipped,
                        header.length - skipped);
        owed_ += header.length - skipped + kFrameCharge;
      }
      link_->consumer().Pop();
      link_->consumer().Release();
      if (link_->consumer().TakeProducerWakeup()) link_->RingDoorbell();
    }
    if (owed_ > 0) GiveCredit(std::min<size_t>(owed_, most));
    return true;
  }

  // To the end.
  void ReadAll() {
    while (Read(UINT32_MAX)) std::this_thread::yield();
  }

  const std::string& message() const { return message_; }

 private:
  void GiveCredit(size_t bytes) {
    const CreditPayload credit{static_cast<uint32_t>(bytes)};
    std::byte* const to = link_->producer().TryReserve(sizeof(credit));
    if (to == nullptr) return;
    std::memcpy(to, &credit, sizeof(credit));
    link_->producer().Commit({sizeof(credit),
                              static_cast<uint8_t>(FrameType::kCredit), 0, 0,
                              /*call_id=*/1});
    if (link_->producer().Publish()) link_->RingDoorbell();
    owed_ -= bytes;
  }

  Link* const link_;
  std::string message_;
  size_t owed_ = 0;
};

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

  // A call, `call_` on its link, of which nothing has come yet; null if there
  // is no such method.
  std::shared_ptr<InlineCall> Prepare(const std::string& name) {
    InlineMethod* const method =
        host_->services().Find("/grpc_shm.testing.EchoService/" + name);
    absl::StatusOr<std::shared_ptr<Call>> call = session_->PrepareCall(1);
    EXPECT_TRUE(call.ok()) << call.status();
    if (method == nullptr || !call.ok()) return nullptr;
    call_ = *std::move(call);
    wire::CallStart start;
    start.set_method(method->name);
    auto inline_call = std::make_shared<InlineCall>(
        call_, start, std::make_shared<const std::string>("nobody"), method,
        host_);
    inline_call->BeginHere();
    EXPECT_TRUE(call_->Attach(inline_call));
    return inline_call;
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
  std::shared_ptr<Call> call_;
};

// A message may arrive as soon as the call is known, and before the thread that
// took it gets to the handler.
TEST_F(InlineCallTest, ThatRunsHereRunsOnce) {
  const auto inline_call = Prepare("Bidi");
  ASSERT_NE(inline_call, nullptr);
  inline_call->OnReadable();
  AwaitJobs();
  EXPECT_EQ(host_->calls(), 0u);
  inline_call->RunHere();
  AwaitJobs();
  EXPECT_EQ(service_.handled.load(), 1);
}

// Answers are more than the window and the ring hold. A handler's thread leaves
// all the same, and takes nothing along that is still to be sent.

TEST_F(InlineCallTest, IsNotHeldUpByAClientThatDoesNotRead) {
  const auto inline_call = Prepare("Unary");
  ASSERT_NE(inline_call, nullptr);
  call_->Accept(ReceivedMessage::Allocate(0));
  inline_call->RunHere();
  EXPECT_EQ(service_.handled.load(), 1);
  Reader reader(client_link_.get());
  reader.ReadAll();
  EXPECT_TRUE(reader.message() == Service::Answer().SerializeAsString());
}

TEST_F(InlineCallTest, IsNotHeldUpByAClientThatReadsInDrops) {
  const auto inline_call = Prepare("Unary");
  ASSERT_NE(inline_call, nullptr);
  call_->Accept(ReceivedMessage::Allocate(0));
  std::atomic<bool> left{false};
  Reader reader(client_link_.get());
  std::thread client([&] {
    while (!left.load()) ASSERT_TRUE(reader.Read(kFrameCharge + 1));
  });
  inline_call->RunHere();
  left.store(true);
  client.join();
  const std::string wanted = Service::Answer().SerializeAsString();
  EXPECT_LT(reader.message().size(), wanted.size());
  reader.ReadAll();
  EXPECT_TRUE(reader.message() == wanted);
}

}  // namespace
}  // namespace grpc_shm
