// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A thread that drives several sessions at once.

#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "tests/unit/call/link_pair.h"
#include "tests/unit/call/recording_handlers.h"
#include "transport/call/session.h"

namespace grpc_shm {
namespace {

using Role = SessionOptions::Role;

constexpr size_t kLinks = 3;

// Tells on which thread it heard of its answer first.
class NotingCall : public RecordingCall {
 public:
  void OnReadable() override {
    std::call_once(once_, [this] {
      thread_ = std::this_thread::get_id();
      answered_.Notify();
    });
    RecordingCall::OnReadable();
  }
  bool answered() const { return answered_.HasBeenNotified(); }
  bool AwaitAnswered() const {
    return answered_.WaitForNotificationWithTimeout(kPatience);
  }
  // Of who is answered.
  std::thread::id thread() const { return thread_; }

 private:
  std::once_flag once_;
  std::thread::id thread_;
  absl::Notification answered_;
};

class SessionDriversTest : public ::testing::Test {
 protected:
  SessionDriversTest() {
    for (size_t i = 0; i < kLinks; ++i) {
      LinkPair pair = MakeLinkPair(LinkOptions());
      SessionOptions options;
      options.address = "shm:test";
      clients_.push_back(
          *Session::Start(std::move(pair.client), options, client_handler_));
      options.role = Role::kServer;
      servers_.push_back(
          *Session::Start(std::move(pair.server), options, handler_));
    }
  }
  ~SessionDriversTest() override {
    for (const auto* sessions : {&clients_, &servers_}) {
      for (const auto& session : *sessions)
        session->Close(absl::CancelledError("test over"));
    }
  }

  // A call that has arrived at the server.
  struct OpenCall {
    std::shared_ptr<NotingCall> client;
    std::shared_ptr<RecordingCall> server;

    void Answer() const {
      server->call()->SendTrailers(TrailersOf(absl::OkStatus()));
      server->call()->Flush();
    }
  };

  OpenCall Open(size_t link) {
    OpenCall open;
    open.client = std::make_shared<NotingCall>();
    wire::CallStart start;
    start.set_method("/method");
    open.client->Attach(*clients_[link]->StartCall(start, open.client));
    open.client->call()->Flush();
    open.server = handler_->Next().call;
    return open;
  }

  const std::shared_ptr<RecordingSession> client_handler_ =
      std::make_shared<RecordingSession>();
  const std::shared_ptr<RecordingSession> handler_ =
      std::make_shared<RecordingSession>();
  std::vector<std::shared_ptr<Session>> clients_;
  std::vector<std::shared_ptr<Session>> servers_;
};

TEST_F(SessionDriversTest, TheThreadReadsWhatComesOnAnyOfThem) {
  for (size_t link = 0; link < kLinks; ++link) {
    const OpenCall call = Open(link);
    ASSERT_NE(call.server, nullptr);
    Session::Drivers drivers(clients_[0], {clients_[1], clients_[2]});
    call.Answer();
    drivers.Until([&call] { return call.client->answered(); });
    ASSERT_TRUE(call.client->answered());
    EXPECT_EQ(call.client->thread(), std::this_thread::get_id());
  }
}

TEST_F(SessionDriversTest, AfterwardsEachOfThemWakesAThread) {
  std::vector<OpenCall> calls;
  for (size_t link = 0; link < kLinks; ++link) calls.push_back(Open(link));
  {
    Session::Drivers drivers(clients_[0], {clients_[1], clients_[2]});
    drivers.Until([] { return true; });
  }
  for (const OpenCall& call : calls) {
    call.Answer();
    ASSERT_TRUE(call.client->AwaitAnswered());
    EXPECT_NE(call.client->thread(), std::this_thread::get_id());
  }
}

TEST_F(SessionDriversTest, OneThatEndsLeavesTheOthers) {
  const OpenCall lost = Open(1);
  const OpenCall call = Open(2);
  Session::Drivers drivers(clients_[0], {clients_[1], clients_[2]});
  clients_[1]->Close(absl::UnavailableError("gone"));
  EXPECT_EQ(lost.client->AwaitAborted(), absl::UnavailableError("gone"));
  call.Answer();
  drivers.Until([&call] { return call.client->answered(); });
  EXPECT_TRUE(call.client->answered());
}

TEST_F(SessionDriversTest, ThreadsThatDriveTheSameGetTheirAnswers) {
  constexpr int kThreads = 4;
  constexpr int kCalls = 200;
  std::thread server([&] {
    for (int i = 0; i < kThreads * kCalls; ++i) {
      const RecordingSession::Arrived arrived = handler_->Next();
      if (arrived.call == nullptr) break;
      OpenCall{nullptr, arrived.call}.Answer();
    }
  });
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, thread] {
      for (int i = 0; i < kCalls; ++i) {
        const size_t link = (thread + i) % kLinks;
        auto call = std::make_shared<NotingCall>();
        {
          Session::Drivers drivers(clients_[0], {clients_[1], clients_[2]});
          wire::CallStart start;
          start.set_method("/method");
          call->Attach(*clients_[link]->StartCall(start, call));
          call->call()->Flush();
          drivers.Until([&call] { return call->answered(); });
        }
        EXPECT_TRUE(call->Next().has_value());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  server.join();
}

}  // namespace
}  // namespace grpc_shm
