// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Who reads a session's ring while jobs run and threads wait.

#include <atomic>
#include <memory>
#include <string>
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

void Answer(Call* call) {
  call->SendTrailers(TrailersOf(absl::OkStatus()));
  call->Flush();
}

// A call that is served by a job: "/blocks" waits in it until it is allowed to
// go on, any other is answered at once.
class ServedCall : public CallHandler,
                   public Job,
                   public std::enable_shared_from_this<ServedCall> {
 public:
  ServedCall(std::shared_ptr<Call> call, bool blocks, bool is_quick)
      : call_(std::move(call)), blocks_(blocks), is_quick_(is_quick) {}

  void OnReadable() override { call_->session()->Submit(shared_from_this()); }
  void OnSent() override {}
  void OnAborted(const absl::Status&) override {}
  bool IsQuick() const override { return is_quick_; }
  void Run() override {
    running_.Notify();
    if (blocks_) {
      EXPECT_TRUE(go_on_.WaitForNotificationWithTimeout(kPatience));
    }
    Answer(call_.get());
  }

  bool AwaitRunning() {
    return running_.WaitForNotificationWithTimeout(kPatience);
  }
  void GoOn() { go_on_.Notify(); }

 private:
  const std::shared_ptr<Call> call_;
  const bool blocks_;
  const bool is_quick_;
  absl::Notification running_;
  absl::Notification go_on_;
};

class Server : public SessionHandler {
 public:
  explicit Server(bool jobs_are_quick) : jobs_are_quick_(jobs_are_quick) {}

  std::shared_ptr<CallHandler> OnCall(const std::shared_ptr<Call>& call,
                                      wire::CallStart start) override {
    const bool blocks = start.method() == "/blocks";
    auto served = std::make_shared<ServedCall>(call, blocks, jobs_are_quick_);
    absl::MutexLock lock(&mu_);
    if (blocks) blocked_.push_back(served);
    return served;
  }
  void OnGoAway(Session*) override {}
  void OnClosed(Session*, const absl::Status&) override {}

  // The call of that number to "/blocks", once it has arrived.
  std::shared_ptr<ServedCall> Blocked(size_t number) {
    absl::MutexLock lock(&mu_);
    const auto arrived = [&] { return blocked_.size() > number; };
    if (!mu_.AwaitWithTimeout(absl::Condition(&arrived), kPatience))
      return nullptr;
    return blocked_[number];
  }

 private:
  const bool jobs_are_quick_;
  absl::Mutex mu_;
  std::vector<std::shared_ptr<ServedCall>> blocked_;
};

class SessionDriverTest : public testing::TestWithParam<bool> {
 protected:
  SessionDriverTest() {
    LinkPair pair = MakeLinkPair(LinkOptions());
    SessionOptions options;
    options.address = "shm:test";
    client_ = *Session::Start(std::move(pair.client), options, client_handler_);
    options.role = Role::kServer;
    server_ = *Session::Start(std::move(pair.server), options, handler_);
  }
  ~SessionDriverTest() override {
    for (const auto& session : {client_, server_})
      session->Close(absl::CancelledError("test over"));
  }

  std::shared_ptr<RecordingCall> StartCall(const std::string& method) {
    wire::CallStart start;
    start.set_method(method);
    auto handler = std::make_shared<RecordingCall>();
    handler->Attach(*client_->StartCall(start, handler));
    handler->call()->Flush();
    return handler;
  }

  static bool IsAnswered(RecordingCall* call) {
    const absl::optional<Received> end = call->Next();
    return end.has_value() && absl::holds_alternative<wire::Trailers>(*end);
  }

  const std::shared_ptr<RecordingSession> client_handler_ =
      std::make_shared<RecordingSession>();
  const std::shared_ptr<Server> handler_ = std::make_shared<Server>(GetParam());
  std::shared_ptr<Session> client_;
  std::shared_ptr<Session> server_;
};

TEST_P(SessionDriverTest, JobsThatBlockHoldNobodyUp) {
  std::vector<std::shared_ptr<RecordingCall>> blocked;
  for (size_t i = 0; i < 10; ++i) {
    blocked.push_back(StartCall("/blocks"));
    const auto served = handler_->Blocked(i);
    ASSERT_NE(served, nullptr);
    ASSERT_TRUE(served->AwaitRunning());
    EXPECT_TRUE(IsAnswered(StartCall("/returns").get()));
  }
  for (size_t i = 0; i < blocked.size(); ++i) {
    handler_->Blocked(i)->GoOn();
    EXPECT_TRUE(IsAnswered(blocked[i].get()));
    EXPECT_TRUE(IsAnswered(StartCall("/returns").get()));
  }
}

TEST_P(SessionDriverTest, JobsThatArriveBehindOneThatBlocksAreRun) {
  const auto blocked = StartCall("/blocks");
  std::vector<std::shared_ptr<RecordingCall>> behind;
  for (int i = 0; i < 200; ++i) behind.push_back(StartCall("/returns"));
  for (const auto& call : behind) EXPECT_TRUE(IsAnswered(call.get()));
  const auto served = handler_->Blocked(0);
  ASSERT_NE(served, nullptr);
  served->GoOn();
  EXPECT_TRUE(IsAnswered(blocked.get()));
}

TEST_P(SessionDriverTest, ThreadsThatDriveInTurnAllGetTheirAnswers) {
  constexpr int kThreads = 8;
  constexpr int kCalls = 500;
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int call = 0; call < kCalls; ++call) {
        absl::optional<Session::Driver> driver(absl::in_place, client_);
        const auto handler = StartCall("/returns");
        absl::optional<Received> end;
        driver->Until([&] {
          if (!end.has_value()) end = handler->call()->Take();
          return end.has_value();
        });
        driver.reset();
        // Who gave up waiting awake is told by whoever reads.
        if (end.has_value() || IsAnswered(handler.get())) ++answered;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, kThreads * kCalls);
}

INSTANTIATE_TEST_SUITE_P(Jobs, SessionDriverTest, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& info) {
                           return info.param ? "Quick" : "Any";
                         });

}  // namespace
}  // namespace grpc_shm
