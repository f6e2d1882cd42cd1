// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Calls that were offered through a mailbox, once a server has claimed them.

#include <atomic>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/call/link_pair.h"
#include "tests/unit/call/recording_handlers.h"
#include "transport/call/frame.h"
#include "transport/call/session.h"

namespace grpc_shm {
namespace {

using ::testing::HasSubstr;
using Role = SessionOptions::Role;

// A client that is told of acceptances.
class OfferingSession : public RecordingSession {
 public:
  void OnAccepted(const std::shared_ptr<Call>& call) override {
    auto handler = std::make_shared<RecordingCall>();
    handler->Attach(call);
    call->Attach(handler);
    handler->OnReadable();
    absl::MutexLock lock(&mu_);
    accepted_.push_back(handler);
  }

  // The next call that was accepted; null after kPatience.
  std::shared_ptr<RecordingCall> NextAccepted() {
    absl::MutexLock lock(&mu_);
    const auto some = [this] { return !accepted_.empty(); };
    if (!mu_.AwaitWithTimeout(absl::Condition(&some), kPatience)) return {};
    auto next = std::move(accepted_.front());
    accepted_.pop_front();
    return next;
  }

  size_t accepted() {
    absl::MutexLock lock(&mu_);
    return accepted_.size();
  }

 private:
  absl::Mutex mu_;
  std::deque<std::shared_ptr<RecordingCall>> accepted_;
};

std::shared_ptr<Session> StartOne(
    std::unique_ptr<Link> link, Role role, bool offers,
    const std::shared_ptr<RecordingSession>& handler) {
  SessionOptions options;
  options.role = role;
  options.address = "mailbox:test";
  options.offers = offers;
  absl::StatusOr<std::shared_ptr<Session>> session =
      Session::Start(std::move(link), options, handler);
  EXPECT_TRUE(session.ok()) << session.status();
  return *std::move(session);
}

ReceivedMessage ToReceived(const std::string& bytes) {
  ReceivedMessage message = ReceivedMessage::Allocate(bytes.size());
  std::memcpy(message.data(), bytes.data(), bytes.size());
  return message;
}

bool IsHalfClose(const absl::optional<Received>& item) {
  return item.has_value() && absl::holds_alternative<HalfClose>(*item);
}

bool IsTrailers(const absl::optional<Received>& item) {
  return item.has_value() && absl::holds_alternative<wire::Trailers>(*item);
}

class OfferedCallTest : public testing::Test {
 protected:
  OfferedCallTest() {
    LinkPair pair = MakeLinkPair();
    client_ =
        StartOne(std::move(pair.client), Role::kClient, true, client_handler_);
    server_ =
        StartOne(std::move(pair.server), Role::kServer, true, server_handler_);
  }
  ~OfferedCallTest() override {
    for (const auto& session : {client_, server_})
      session->Close(absl::CancelledError("test over"));
  }

  std::shared_ptr<RecordingCall> Prepare(uint64_t number) {
    absl::StatusOr<std::shared_ptr<Call>> call = server_->PrepareCall(number);
    EXPECT_TRUE(call.ok()) << call.status();
    if (!call.ok()) return nullptr;
    auto handler = std::make_shared<RecordingCall>();
    handler->Attach(*call);
    (*call)->Attach(handler);
    return handler;
  }

  const std::shared_ptr<OfferingSession> client_handler_ =
      std::make_shared<OfferingSession>();
  const std::shared_ptr<RecordingSession> server_handler_ =
      std::make_shared<RecordingSession>();
  std::shared_ptr<Session> client_;
  std::shared_ptr<Session> server_;
};

// Another thread closes the link while one is told of an acceptance.
class ClosingSession : public RecordingSession {
 public:
  void OnAccepted(const std::shared_ptr<Call>& call) override {
    std::thread([&call] {
      call->session()->Close(absl::UnavailableError("closed"));
    }).join();
    EXPECT_FALSE(closed_) << "what has been accepted must not seem lost";
    accepted_ = true;
  }
  void OnClosed(Session* session, const absl::Status& status) override {
    EXPECT_TRUE(accepted_);
    closed_ = true;
    RecordingSession::OnClosed(session, status);
  }

 private:
  std::atomic<bool> accepted_{false};
  std::atomic<bool> closed_{false};
};

TEST_F(OfferedCallTest, IsToldOfBeforeTheEndOfItsLink) {
  LinkPair pair = MakeLinkPair();
  const auto handler = std::make_shared<ClosingSession>();
  const auto client =
      StartOne(std::move(pair.client), Role::kClient, true, handler);
  const auto server =
      StartOne(std::move(pair.server), Role::kServer, true, server_handler_);
  const absl::StatusOr<std::shared_ptr<Call>> call = server->PrepareCall(7);
  ASSERT_TRUE(call.ok()) << call.status();
  (*call)->Accept(absl::nullopt);
  (*call)->Flush();
  EXPECT_EQ(handler->AwaitClosed(), absl::UnavailableError("closed"));
  server->Close(absl::CancelledError("test over"));
}

TEST_F(OfferedCallTest, IsAnsweredWithoutAWordFromTheClient) {
  const auto server = Prepare(7);
  server->call()->Accept(ToReceived("question"));
  EXPECT_EQ(server->NextMessage(), "question");
  EXPECT_TRUE(IsHalfClose(server->Next()));
  server->call()->SendMessage(ToMessage("answer"));
  server->call()->SendTrailers({});
  server->call()->Flush();

  const auto client = client_handler_->NextAccepted();
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->call()->id(), 7u);
  EXPECT_EQ(client->NextMessage(), "answer");
  EXPECT_TRUE(IsTrailers(client->Next()));
  EXPECT_EQ(client_->calls(), 0u);
  EXPECT_EQ(server_->calls(), 0u);
}

TEST_F(OfferedCallTest, GoesOnOverTheLink) {
  const auto server = Prepare(1);
  server->call()->Accept(absl::nullopt);
  server->call()->Flush();
  const auto client = client_handler_->NextAccepted();
  ASSERT_NE(client, nullptr);
  const std::string large(1 << 20, 'x');
  client->call()->SendMessage(ToMessage(large));
  client->call()->SendMessage(ToMessage("second"));
  client->call()->SendHalfClose();
  client->call()->Flush();
  EXPECT_EQ(server->NextMessage(), large);
  EXPECT_EQ(server->NextMessage(), "second");
  EXPECT_TRUE(IsHalfClose(server->Next()));
  server->call()->SendTrailers({});
  server->call()->Flush();
  EXPECT_TRUE(IsTrailers(client->Next()));
}

// Numbers are the caller's: they come in any order, by way of any server.
TEST_F(OfferedCallTest, ComeInAnyOrder) {
  for (const uint64_t number : {9, 4, 6}) {
    const auto server = Prepare(number);
    server->call()->Accept(ToReceived(""));
    server->call()->SendTrailers({});
    server->call()->Flush();
    const auto client = client_handler_->NextAccepted();
    ASSERT_NE(client, nullptr);
    EXPECT_EQ(client->call()->id(), number);
    EXPECT_TRUE(IsTrailers(client->Next()));
  }
}

TEST_F(OfferedCallTest, IsForgottenWhenDeclined) {
  Prepare(3)->call()->Decline();
  EXPECT_EQ(server_->calls(), 0u);
  Prepare(3)->call()->Accept(ToReceived(""));
  server_->Flush();
  EXPECT_NE(client_handler_->NextAccepted(), nullptr);
}

TEST_F(OfferedCallTest, CanBePreparedOnce) {
  Prepare(3);
  EXPECT_EQ(server_->PrepareCall(3).status().code(),
            absl::StatusCode::kInvalidArgument);
}

// The client knows from elsewhere that the server has claimed it.
TEST_F(OfferedCallTest, IsCancelledBeforeTheServerSaysThatItAccepted) {
  const auto server = Prepare(5);
  const std::shared_ptr<Call> call = client_->AdoptCall(5);
  ASSERT_NE(call, nullptr);
  call->Cancel();
  EXPECT_EQ(server->AwaitAborted().code(), absl::StatusCode::kCancelled);
  server->call()->Accept(ToReceived("too late"));
  server->call()->Flush();
  EXPECT_EQ(server_->calls(), 0u);
}

TEST_F(OfferedCallTest, IsOneCallWhetherAdoptedOrAcceptedFirst) {
  const auto server = Prepare(5);
  const std::shared_ptr<Call> call = client_->AdoptCall(5);
  ASSERT_NE(call, nullptr);
  EXPECT_EQ(client_->AdoptCall(5), nullptr);
  auto client = std::make_shared<RecordingCall>();
  client->Attach(call);
  call->Attach(client);
  server->call()->Accept(ToReceived(""));
  server->call()->SendMessage(ToMessage("answer"));
  server->call()->SendTrailers({});
  server->call()->Flush();
  EXPECT_EQ(client->NextMessage(), "answer");
  EXPECT_TRUE(IsTrailers(client->Next()));
  EXPECT_EQ(client_handler_->accepted(), 0u);
}

TEST_F(OfferedCallTest, EndsWithItsLink) {
  const auto server = Prepare(5);
  server->call()->Accept(ToReceived(""));
  server->call()->Flush();
  const auto client = client_handler_->NextAccepted();
  ASSERT_NE(client, nullptr);
  server_->Close(absl::CancelledError("over"));
  EXPECT_EQ(client->AwaitAborted().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server_->PrepareCall(6).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(client_handler_->AwaitClosed().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(client_->AdoptCall(6), nullptr);
}

// A leaving server takes no more, and goes when it has finished what it took.
TEST_F(OfferedCallTest, IsFinishedByAServerThatLeaves) {
  const auto server = Prepare(5);
  server->call()->Accept(ToReceived(""));
  server_->GoAway("leaving");
  EXPECT_EQ(server_->PrepareCall(6).status().code(),
            absl::StatusCode::kUnavailable);
  ASSERT_TRUE(client_handler_->AwaitGoAway());
  server->call()->SendTrailers({});
  server->call()->Flush();
  const auto client = client_handler_->NextAccepted();
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(IsTrailers(client->Next()));
  EXPECT_EQ(client_handler_->AwaitClosed().code(),
            absl::StatusCode::kUnavailable);
}

// ---- What breaks the protocol

void WriteFrame(Link* link, FrameType type, uint64_t call_id) {
  ASSERT_NE(link->producer().TryReserve(0), nullptr);
  RecordHeader header{};
  header.type = static_cast<uint8_t>(type);
  header.call_id = call_id;
  link->producer().Commit(header);
  if (link->producer().Publish()) link->RingDoorbell();
}

absl::Status StatusAfter(Role role, bool offers,
                         std::initializer_list<FrameType> frames) {
  LinkPair pair = MakeLinkPair();
  const auto handler = std::make_shared<OfferingSession>();
  const bool is_client = role == Role::kClient;
  const auto session = StartOne(
      std::move(is_client ? pair.client : pair.server), role, offers, handler);
  const std::unique_ptr<Link>& peer = is_client ? pair.server : pair.client;
  for (const FrameType type : frames) WriteFrame(peer.get(), type, 1);
  return handler->AwaitClosed();
}

TEST(OfferedCallProtocolTest, NobodyStartsCallsWhereTheyAreOffered) {
  EXPECT_THAT(
      std::string(
          StatusAfter(Role::kServer, true, {FrameType::kCall}).message()),
      HasSubstr("broke the link protocol"));
}

TEST(OfferedCallProtocolTest, NobodyAcceptsCallsThatAreNotOffered) {
  EXPECT_THAT(
      std::string(
          StatusAfter(Role::kClient, false, {FrameType::kAccept}).message()),
      HasSubstr("broke the link protocol"));
}

TEST(OfferedCallProtocolTest, AClientAcceptsNothing) {
  EXPECT_THAT(
      std::string(
          StatusAfter(Role::kServer, true, {FrameType::kAccept}).message()),
      HasSubstr("broke the link protocol"));
}

TEST(OfferedCallProtocolTest, ACallIsAcceptedOnce) {
  EXPECT_THAT(std::string(StatusAfter(Role::kClient, true,
                                      {FrameType::kAccept, FrameType::kAccept})
                              .message()),
              HasSubstr("accepted twice"));
}

}  // namespace
}  // namespace grpc_shm
