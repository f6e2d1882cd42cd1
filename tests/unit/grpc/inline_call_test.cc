// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/inline_call.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/unit/call/link_pair.h"
#include "tests/unit/call/recording_handlers.h"
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

  std::atomic<int> handled{0};
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

}  // namespace
}  // namespace grpc_shm
