// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Threads that wait for operations of their own: how they share the reading of
// a session with one another, and with those who wait in other ways. (Whether
// they take turns depends on how many cores there are; that they all get their
// answers does not.)

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/unit/call/link_pair.h"
#include "tests/unit/call/recording_handlers.h"
#include "transport/call/session.h"
#include "transport/link/timeouts.h"

namespace grpc_shm {
namespace {

using Role = SessionOptions::Role;

bool IsEnd(const absl::optional<Received>& received) {
  return received.has_value() &&
         absl::holds_alternative<wire::Trailers>(*received);
}

// A call of which one thing at a time is awaited.
class AwaitedCall : public CallHandler {
 public:
  void Attach(std::shared_ptr<Call> call) { call_ = std::move(call); }
  const std::shared_ptr<Call>& call() const { return call_; }

  // What comes next. `sends` is what has the peer send it, or does nothing.
  absl::optional<Received> Await(const std::shared_ptr<Session>& session,
                                 absl::FunctionRef<void()> send) {
    return Await(session, send, /*sends=*/true);
  }
  absl::optional<Received> Await(const std::shared_ptr<Session>& session,
                                 absl::FunctionRef<void()> send, bool sends) {
    Session::Caller caller(session, sends);
    send();
    {
      absl::MutexLock lock(&mu_);
      complete_ = caller.complete();
      Look();
    }
    caller.Await([this] { return open_.load(); });
    absl::MutexLock lock(&mu_);
    return std::move(next_);
  }
  absl::optional<Received> Await(const std::shared_ptr<Session>& session) {
    return Await(session, [] {});
  }

  bool IsOpen() const { return open_; }

  void OnReadable() override {
    absl::MutexLock lock(&mu_);
    Look();
  }
  void OnSent() override {}
  void OnAborted(const absl::Status&) override {
    absl::MutexLock lock(&mu_);
    open_ = false;
    Look();
  }

 private:
  void Look() {
    if (complete_ == nullptr || call_ == nullptr) return;
    next_ = call_->Take();
    if (!next_.has_value() && open_) return;
    if (IsEnd(next_)) open_ = false;
    std::exchange(complete_, nullptr)->Happen();
  }

  absl::Mutex mu_;
  std::shared_ptr<Call> call_;
  Session::Completion* complete_ = nullptr;
  absl::optional<Received> next_;
  std::atomic<bool> open_{true};
};

// Ends calls as they come, but those to "/waits" when it is told to.
class Server : public SessionHandler {
 public:
  std::shared_ptr<CallHandler> OnCall(const std::shared_ptr<Call>& call,
                                      wire::CallStart start) override {
    auto handler = std::make_shared<RecordingCall>();
    handler->Attach(call);
    absl::MutexLock lock(&mu_);
    if (start.method() == "/waits") {
      waiting_.push_back(call);
    } else {
      End(call.get());
    }
    return handler;
  }
  void OnGoAway(Session*) override {}
  void OnClosed(Session*, const absl::Status&) override {}

  void AwaitWaiting(size_t count) {
    absl::MutexLock lock(&mu_);
    const auto enough = [&] { return waiting_.size() >= count; };
    EXPECT_TRUE(mu_.AwaitWithTimeout(absl::Condition(&enough), kPatience));
  }
  void EndWaiting() {
    absl::MutexLock lock(&mu_);
    for (const auto& call : waiting_) End(call.get());
    waiting_.clear();
  }

 private:
  static void End(Call* call) {
    call->SendTrailers(TrailersOf(absl::OkStatus()));
    call->Flush();
  }

  absl::Mutex mu_;
  std::vector<std::shared_ptr<Call>> waiting_;
};

class SessionCallerTest : public testing::Test {
 protected:
  SessionCallerTest() {
    LinkPair pair = MakeLinkPair(LinkOptions());
    options_.address = "shm:test";
    client_ =
        *Session::Start(std::move(pair.client), options_, client_handler_);
    options_.role = Role::kServer;
    server_ = *Session::Start(std::move(pair.server), options_, handler_);
  }
  ~SessionCallerTest() override {
    for (const auto& session : {client_, server_})
      session->Close(absl::CancelledError("test over"));
  }

  bool CallAndAwait(const std::string& method) {
    wire::CallStart start;
    start.set_method(method);
    auto call = std::make_shared<AwaitedCall>();
    return IsEnd(call->Await(client_, [&] {
      call->Attach(*client_->StartCall(start, call));
      call->call()->Flush();
    }));
  }

  // As something does that waits otherwise than by a caller.
  std::shared_ptr<RecordingCall> StartCall(const std::string& method) {
    wire::CallStart start;
    start.set_method(method);
    auto handler = std::make_shared<RecordingCall>();
    handler->Attach(*client_->StartCall(start, handler));
    handler->call()->Flush();
    client_->EndLingering();
    return handler;
  }

  const std::shared_ptr<RecordingSession> client_handler_ =
      std::make_shared<RecordingSession>();
  const std::shared_ptr<Server> handler_ = std::make_shared<Server>();
  SessionOptions options_;
  std::shared_ptr<Session> client_;
  std::shared_ptr<Session> server_;
};

TEST_F(SessionCallerTest, AllGetTheirAnswers) {
  constexpr int kThreads = 8;
  constexpr int kCalls = 2000;
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kCalls; ++j) answered += CallAndAwait("/returns");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, kThreads * kCalls);
  EXPECT_EQ(Session::lost_wakeups(), 0u);
}

// Whoever has called in a row is expected to go on doing so.
TEST_F(SessionCallerTest, OthersGetTheirAnswersWhenOneDoesNotComeBack) {
  constexpr int kOthers = 6;
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> answered{0};
    std::vector<std::thread> others;
    for (int i = 0; i < kOthers; ++i)
      others.emplace_back([&] { answered += CallAndAwait("/waits"); });
    handler_->AwaitWaiting(kOthers);
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(CallAndAwait("/returns"));
    handler_->EndWaiting();
    for (int i = 0; i < round % 3; ++i) EXPECT_TRUE(CallAndAwait("/returns"));
    for (std::thread& other : others) other.join();
    EXPECT_EQ(answered, kOthers);
  }
  EXPECT_EQ(Session::lost_wakeups(), 0u);
}

TEST_F(SessionCallerTest, CallsThatNoCallerWaitsForAreAnsweredBesides) {
  for (int round = 0; round < 50; ++round) {
    const auto before = StartCall("/waits");
    handler_->AwaitWaiting(1);
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(CallAndAwait("/returns"));
    const auto after = StartCall("/returns");
    handler_->EndWaiting();
    EXPECT_TRUE(IsEnd(before->Next()));
    EXPECT_TRUE(IsEnd(after->Next()));
  }
  EXPECT_EQ(Session::lost_wakeups(), 0u);
}

TEST_F(SessionCallerTest, AllAreToldThatTheLinkIsGone) {
  constexpr int kThreads = 8;
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] { failed += !CallAndAwait("/waits"); });
  }
  handler_->AwaitWaiting(kThreads);
  server_->Close(absl::CancelledError("the server is gone"));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, kThreads);
}

// ---- One call that is a stream, whose other side the test writes by hand

class LingeringTest : public testing::Test {
 protected:
  explicit LingeringTest(SpinPolicy policy = SpinPolicy::kAdaptive) {
    LinkPair pair = MakeLinkPair(LinkOptions());
    peer_ = std::move(pair.server);
    flag_ = pair.client->consumer().flag();
    options_.wait_policy = policy;
    options_.address = "shm:test";
    options_.untaken = untaken_;
    client_ =
        *Session::Start(std::move(pair.client), options_, client_handler_);
    wire::CallStart start;
    start.set_method("/streams");
    call_->Attach(*client_->StartCall(start, call_));
    call_->call()->Flush();
  }
  ~LingeringTest() override {
    client_->Close(absl::CancelledError("test over"));
  }

  // Whether the client is to be woken for it, and where.
  armed_flag::Sleep Send(FrameType type, uint64_t call,
                         absl::string_view payload, uint8_t flags = 0) {
    std::byte* const to = peer_->producer().TryReserve(payload.size());
    if (to == nullptr) {
      ADD_FAILURE() << "the ring is full";
      return armed_flag::kAwake;
    }
    std::copy(payload.begin(), payload.end(), reinterpret_cast<char*>(to));
    RecordHeader header{};
    header.length = static_cast<uint32_t>(payload.size());
    header.type = static_cast<uint8_t>(type);
    header.flags = flags;
    header.call_id = call;
    peer_->producer().Commit(header);
    return peer_->producer().Publish();
  }
  armed_flag::Sleep SendMessage() {
    return Send(FrameType::kMessage, call_->call()->id(), "m",
                kMessageBegin | kMessageEnd);
  }
  bool AwaitMessage() {
    const absl::optional<Received> next = call_->Await(client_);
    return next.has_value() && absl::holds_alternative<ReceivedMessage>(*next);
  }

  const std::shared_ptr<std::atomic<int>> untaken_ =
      std::make_shared<std::atomic<int>>(0);
  const std::shared_ptr<RecordingSession> client_handler_ =
      std::make_shared<RecordingSession>();
  const std::shared_ptr<AwaitedCall> call_ = std::make_shared<AwaitedCall>();
  SessionOptions options_;
  std::unique_ptr<Link> peer_;
  const std::atomic<uint32_t>* flag_;  // where the client sleeps
  std::shared_ptr<Session> client_;
};

TEST_F(LingeringTest, WhoReadsAStreamIsNotInterrupted) {
  // Now and then the test itself may be interrupted for longer than the client
  // waits for its reader.
  int silent = 0;
  for (int i = 0; i < 20; ++i) {
    if (SendMessage()) peer_->RingDoorbell();
    ASSERT_TRUE(AwaitMessage());
    const bool woken = SendMessage();
    silent += !woken;
    if (woken) peer_->RingDoorbell();
    ASSERT_TRUE(AwaitMessage());
  }
  EXPECT_GT(silent, 0);
}

// Who waits does not wait awake, and the doorbell wakes a thread of the
// reactor.
class SleepingReaderTest : public LingeringTest {
 protected:
  SleepingReaderTest() : LingeringTest(SpinPolicy::kNever) {}

  // What the stream's reader receives next, once it sleeps.
  std::thread StartReader(absl::optional<Received>* received) {
    // Else the reactor may still drive, and the reader would leave it to that.
    EXPECT_TRUE(AwaitSleepAt(armed_flag::kAtDoorbell));
    std::thread reader([this, received] {
      *received = call_->Await(client_, [this] { drives_ = true; });
    });
    while (!drives_) std::this_thread::yield();
    return reader;
  }
  // One that no caller waits for.
  std::shared_ptr<RecordingCall> StartOtherCall() {
    wire::CallStart start;
    start.set_method("/other");
    auto other = std::make_shared<RecordingCall>();
    other->Attach(*client_->StartCall(start, other));
    return other;
  }
  bool AwaitSleepAt(armed_flag::Sleep where) {
    const absl::Time end = absl::Now() + kPatience;
    while (*flag_ != where) {
      if (absl::Now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::atomic<bool> drives_{false};
};

TEST_F(SleepingReaderTest, IsLeftToReadWhatComesNext) {
  int silent = 0;
  for (int i = 0; i < 50; ++i) {
    absl::optional<Received> received;
    std::thread reader([&] {
      received = call_->Await(
          client_, [] {}, /*sends=*/false);
    });
    if (SendMessage()) peer_->RingDoorbell();
    reader.join();
    ASSERT_TRUE(received.has_value());
    const bool woken = SendMessage();
    silent += !woken;
    if (woken) peer_->RingDoorbell();
    ASSERT_TRUE(AwaitMessage());
  }
  EXPECT_GT(silent, 0);
}

TEST_F(SleepingReaderTest, IsWokenItselfIfItIsTheOnlyOneThatWaits) {
  if (!OneTimeEvent::CanAwaitBeside()) GTEST_SKIP() << "not by this kernel";
  for (int i = 0; i < 50; ++i) {
    absl::optional<Received> received;
    std::thread reader = StartReader(&received);
    ASSERT_TRUE(AwaitSleepAt(armed_flag::kAtFlag));
    const armed_flag::Sleep where = SendMessage();
    EXPECT_EQ(where, armed_flag::kAtFlag);
    peer_->Wake(where);
    reader.join();
    EXPECT_TRUE(received.has_value());
    drives_ = false;
  }
}

TEST_F(SleepingReaderTest, TheDoorbellDoesAsWell) {
  absl::optional<Received> received;
  std::thread reader = StartReader(&received);
  AwaitSleepAt(armed_flag::kAtFlag);
  EXPECT_NE(SendMessage(), armed_flag::kAwake);
  peer_->RingDoorbell();
  reader.join();
  EXPECT_TRUE(received.has_value());
}

TEST_F(SleepingReaderTest, LeavesTheDoorbellToOthersWhenItsCallEnds) {
  absl::optional<Received> received;
  std::thread reader = StartReader(&received);
  AwaitSleepAt(armed_flag::kAtFlag);
  call_->OnAborted(absl::CancelledError("from elsewhere"));
  reader.join();
  EXPECT_FALSE(received.has_value());
  EXPECT_EQ(SendMessage(), armed_flag::kAtDoorbell);
}

TEST_F(SleepingReaderTest, LeavesTheDoorbellToOthersWhenTheyBeginToWait) {
  absl::optional<Received> received;
  std::thread reader = StartReader(&received);
  AwaitSleepAt(armed_flag::kAtFlag);
  const auto other = StartOtherCall();
  client_->EndLingering();
  EXPECT_EQ(SendMessage(), armed_flag::kAtDoorbell);
  peer_->RingDoorbell();
  reader.join();
  EXPECT_TRUE(received.has_value());
}

TEST_F(SleepingReaderTest, LeavesTheDoorbellToOthersThatWaitAlready) {
  const auto other = StartOtherCall();
  absl::optional<Received> received;
  std::thread reader = StartReader(&received);
  while (*flag_ == armed_flag::kAwake) std::this_thread::yield();
  EXPECT_EQ(SendMessage(), armed_flag::kAtDoorbell);
  peer_->RingDoorbell();
  reader.join();
  EXPECT_TRUE(received.has_value());
}

TEST_F(SleepingReaderTest, IsToldThatTheLinkIsGone) {
  absl::optional<Received> received;
  std::thread reader = StartReader(&received);
  AwaitSleepAt(armed_flag::kAtFlag);
  client_->Close(absl::UnavailableError("gone"));
  reader.join();
  EXPECT_FALSE(received.has_value());
}

TEST_F(SleepingReaderTest, APeerThatWakesItForNothingLosesTheLink) {
  if (!OneTimeEvent::CanAwaitBeside()) GTEST_SKIP() << "not by this kernel";
  absl::optional<Received> received;
  std::thread reader = StartReader(&received);
  int woken = 0;
  while (call_->IsOpen()) {
    if (peer_->producer().TakeConsumerWakeup() != armed_flag::kAtFlag) continue;
    peer_->Wake(armed_flag::kAtFlag);
    ++woken;
  }
  reader.join();
  EXPECT_FALSE(received.has_value());
  EXPECT_GT(woken, 200);
  EXPECT_LT(woken, 1000);
}

TEST_F(LingeringTest, WhoDoesNotComeBackIsNotWaitedFor) {
  if (SendMessage()) peer_->RingDoorbell();
  ASSERT_TRUE(AwaitMessage());
  const absl::Time end = absl::Now() + kPatience;
  while (!SendMessage()) {
    ASSERT_LT(absl::Now(), end) << "nobody is ever woken";
    absl::SleepFor(absl::Milliseconds(1));
  }
}

TEST_F(LingeringTest, WhatIsForTheWholeSessionIsNotLost) {
  if (SendMessage()) peer_->RingDoorbell();
  ASSERT_TRUE(AwaitMessage());
  wire::GoAway go_away;
  if (Send(FrameType::kGoAway, 0, go_away.SerializeAsString()))
    peer_->RingDoorbell();
  EXPECT_TRUE(client_handler_->AwaitGoAway());
}

TEST_F(LingeringTest, AnApplicationThatIsBusyIsNotInterrupted) {
  int silent = 0;
  int armed = 0;
  for (int i = 0; i < 20; ++i) {
    untaken_->store(1);
    SendMessage();
    client_->Poll(/*waits=*/false);
    const bool woken = SendMessage();
    silent += !woken;
    client_->Poll(/*waits=*/false);
    // It waits from here on.
    untaken_->store(0);
    client_->Poll(/*waits=*/false);
    if (SendMessage()) {
      ++armed;
      peer_->RingDoorbell();
    }
    for (int j = 0; j < 3; ++j) ASSERT_TRUE(AwaitMessage());
  }
  EXPECT_GT(silent, 0);
  EXPECT_GT(armed, 0);
}

TEST_F(LingeringTest, AnApplicationThatTakesNothingIsNotWaitedFor) {
  untaken_->store(1);
  client_->Poll(/*waits=*/false);
  // A timer is set each time that it is waited for. As many messages as there
  // is credit for.
  int64_t set = INT64_MAX;
  for (int round = 0; set > 5; ++round) {
    ASSERT_LT(round, 50) << "it is waited for again and again";
    const int64_t before = Timeouts::Get().times_armed();
    for (int i = 0; i < 20; ++i) {
      if (SendMessage()) peer_->RingDoorbell();
      absl::SleepFor(absl::Milliseconds(2));
    }
    set = Timeouts::Get().times_armed() - before;
  }
}

}  // namespace
}  // namespace grpc_shm
