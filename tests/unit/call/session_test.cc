// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/call/session.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/call/link_pair.h"
#include "tests/unit/call/recording_handlers.h"

namespace grpc_shm {
namespace {

using ::testing::HasSubstr;
using Role = SessionOptions::Role;

// A payload that tells where each of its bytes belongs.
std::string Pattern(size_t bytes) {
  std::string pattern(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) {
    pattern[i] = static_cast<char>(i ^ (i >> 8) ^ (i >> 16));
  }
  return pattern;
}

class SessionTest : public testing::Test {
 protected:
  void Start(const LinkOptions& link_options = LinkOptions(),
             int64_t max_message_bytes = -1, size_t max_calls = 1000) {
    LinkPair pair = MakeLinkPair(link_options);
    client_ = StartOne(std::move(pair.client), Role::kClient, client_handler_,
                       max_message_bytes, max_calls);
    server_ = StartOne(std::move(pair.server), Role::kServer, server_handler_,
                       max_message_bytes, max_calls);
  }

  ~SessionTest() override {
    for (const auto& session : {client_, server_}) {
      if (session != nullptr) session->Close(absl::CancelledError("test over"));
    }
  }

  std::shared_ptr<RecordingCall> StartCall(const std::string& method) {
    wire::CallStart start;
    start.set_method(method);
    auto handler = std::make_shared<RecordingCall>();
    absl::StatusOr<std::shared_ptr<Call>> call =
        client_->StartCall(start, handler);
    EXPECT_TRUE(call.ok()) << call.status();
    if (!call.ok()) return nullptr;
    handler->Attach(*std::move(call));
    handler->call()->Flush();
    return handler;
  }

  static std::shared_ptr<Session> StartOne(
      std::unique_ptr<Link> link, Role role,
      const std::shared_ptr<RecordingSession>& handler,
      int64_t max_message_bytes, size_t max_calls) {
    SessionOptions options;
    options.role = role;
    options.address = "shm:test";
    options.max_receive_message_bytes = max_message_bytes;
    options.max_calls = max_calls;
    absl::StatusOr<std::shared_ptr<Session>> session =
        Session::Start(std::move(link), options, handler);
    EXPECT_TRUE(session.ok()) << session.status();
    return *std::move(session);
  }

  const std::shared_ptr<RecordingSession> client_handler_ =
      std::make_shared<RecordingSession>();
  const std::shared_ptr<RecordingSession> server_handler_ =
      std::make_shared<RecordingSession>();
  std::shared_ptr<Session> client_;
  std::shared_ptr<Session> server_;
};

TEST_F(SessionTest, ACallGoesThereAndBackWithAllItsParts) {
  Start();
  wire::CallStart start;
  start.set_method("/a.B/C");
  start.set_authority("somewhere");
  start.set_timeout_ns(1234567890);
  wire::Metadatum* const field = start.add_metadata();
  field->set_key("key-bin");
  field->set_value(std::string("\0\1\xff", 3));
  auto handler = std::make_shared<RecordingCall>();
  absl::StatusOr<std::shared_ptr<Call>> call =
      client_->StartCall(start, handler);
  ASSERT_TRUE(call.ok());
  handler->Attach(*call);
  (*call)->SendMessage(ToMessage("question"));
  (*call)->SendHalfClose();
  (*call)->Flush();

  const RecordingSession::Arrived arrived = server_handler_->Next();
  ASSERT_NE(arrived.call, nullptr);
  EXPECT_EQ(arrived.start.SerializeAsString(), start.SerializeAsString());
  EXPECT_EQ(arrived.call->NextMessage(), "question");
  absl::optional<Received> end = arrived.call->Next();
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(absl::holds_alternative<HalfClose>(*end));
  EXPECT_TRUE(handler->AwaitSent(1));

  wire::InitialMetadata initial;
  initial.add_metadata()->set_key("initial");
  arrived.call->call()->SendInitialMetadata(initial);
  arrived.call->call()->SendMessage(ToMessage("answer"));
  wire::Trailers trailers;
  trailers.set_code(7);
  trailers.set_message("no");
  arrived.call->call()->SendTrailers(trailers);
  arrived.call->call()->Flush();

  absl::optional<Received> first = handler->Next();
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(absl::holds_alternative<wire::InitialMetadata>(*first));
  EXPECT_EQ(absl::get<wire::InitialMetadata>(*first).SerializeAsString(),
            initial.SerializeAsString());
  EXPECT_EQ(handler->NextMessage(), "answer");
  absl::optional<Received> last = handler->Next();
  ASSERT_TRUE(last.has_value());
  ASSERT_TRUE(absl::holds_alternative<wire::Trailers>(*last));
  EXPECT_EQ(absl::get<wire::Trailers>(*last).SerializeAsString(),
            trailers.SerializeAsString());
  EXPECT_EQ(client_->calls(), 0u);
}

TEST_F(SessionTest, MessagesOfEverySizeArriveUnchanged) {
  LinkOptions options;
  options.ring_bytes = 16 << 10;  // so that large messages go round many times
  options.window_bytes = 16 << 10;
  Start(options);
  const auto client = StartCall("/sizes");
  const auto server = server_handler_->Next().call;
  ASSERT_NE(server, nullptr);
  int sent = 0;
  for (const size_t bytes :
       {size_t{0}, size_t{1}, size_t{15}, size_t{16}, size_t{17}, size_t{8175},
        size_t{8176}, size_t{8177}, size_t{32767}, size_t{32768}, size_t{32769},
        size_t{1000003}}) {
    client->call()->SendMessage(ToMessage(Pattern(bytes)));
    client->call()->Flush();
    EXPECT_EQ(server->NextMessage(), Pattern(bytes)) << bytes;
    EXPECT_TRUE(client->AwaitSent(++sent)) << bytes;
  }
}

TEST_F(SessionTest, AStalledReaderStopsItsSenderAndNobodyElse) {
  Start();
  const auto stalled = StartCall("/stalled");
  const auto stalled_server = server_handler_->Next().call;
  ASSERT_NE(stalled_server, nullptr);
  // The first message is the one that the reader gets next: it is paid for as
  // it arrives. The second fills the window and more.
  const size_t window = LinkOptions().window_bytes;
  stalled->call()->SendMessage(ToMessage(Pattern(3 * window)));
  stalled->call()->Flush();
  ASSERT_TRUE(stalled->AwaitSent(1));
  stalled->call()->SendMessage(ToMessage(Pattern(2 * window)));
  stalled->call()->Flush();

  // Another call on the same link, behind it, moves more than all buffers hold.
  const auto other = StartCall("/other");
  const auto other_server = server_handler_->Next().call;
  ASSERT_NE(other_server, nullptr);
  for (int i = 1; i <= 8; ++i) {
    other->call()->SendMessage(ToMessage(Pattern(window)));
    other->call()->Flush();
    EXPECT_EQ(other_server->NextMessage(), Pattern(window));
    EXPECT_TRUE(other->AwaitSent(i));
  }

  EXPECT_EQ(stalled_server->NextMessage(), Pattern(3 * window));
  EXPECT_EQ(stalled_server->NextMessage(), Pattern(2 * window));
  EXPECT_TRUE(stalled->AwaitSent(2));
}

TEST_F(SessionTest, ACancelledCallEndsOnTheServer) {
  Start();
  const auto client = StartCall("/cancelled");
  const auto server = server_handler_->Next().call;
  ASSERT_NE(server, nullptr);
  client->call()->Cancel();
  EXPECT_EQ(server->AwaitAborted().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(client_->calls(), 0u);
}

TEST_F(SessionTest, ACallCancelledBeforeItsFirstFrameIsNeverSeen) {
  Start();
  wire::CallStart start;
  start.set_method("/never");
  auto handler = std::make_shared<RecordingCall>();
  absl::StatusOr<std::shared_ptr<Call>> never =
      client_->StartCall(start, handler);
  ASSERT_TRUE(never.ok());
  (*never)->Cancel();
  StartCall("/seen");
  EXPECT_EQ(server_handler_->Next().start.method(), "/seen");
}

TEST_F(SessionTest, AClosedPeerEndsItsCallsButDeliversWhatItHadSaid) {
  Start();
  const auto answered = StartCall("/answered");
  const auto lost = StartCall("/lost");
  const auto answered_server = server_handler_->Next().call;
  const auto lost_server = server_handler_->Next().call;
  ASSERT_NE(lost_server, nullptr);
  answered_server->call()->SendMessage(ToMessage("last words"));
  answered_server->call()->SendTrailers(wire::Trailers());
  answered_server->call()->Flush();
  server_->Close(absl::UnavailableError("server gone"));

  EXPECT_EQ(answered->NextMessage(), "last words");
  absl::optional<Received> last = answered->Next();
  ASSERT_TRUE(last.has_value());
  EXPECT_TRUE(absl::holds_alternative<wire::Trailers>(*last));
  const absl::Status status = lost->AwaitAborted();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("shm:test"));
  EXPECT_EQ(lost_server->AwaitAborted().message(), "server gone");
  EXPECT_EQ(client_handler_->AwaitClosed().code(),
            absl::StatusCode::kUnavailable);
  wire::CallStart start;
  EXPECT_EQ(client_->StartCall(start, lost).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(SessionTest, AfterGoAwayRunningCallsFinishAndNewOnesAreRefused) {
  Start();
  const auto running = StartCall("/running");
  const auto server = server_handler_->Next().call;
  ASSERT_NE(server, nullptr);
  server_->GoAway("maintenance");
  ASSERT_TRUE(client_handler_->AwaitGoAway());
  EXPECT_EQ(client_->StartCall(wire::CallStart(), running).status().code(),
            absl::StatusCode::kUnavailable);
  server->call()->SendMessage(ToMessage("still here"));
  server->call()->SendTrailers(wire::Trailers());
  server->call()->Flush();
  EXPECT_EQ(running->NextMessage(), "still here");
  // Having no calls left, the server closes.
  EXPECT_FALSE(server_handler_->AwaitClosed().ok());
  EXPECT_FALSE(client_handler_->AwaitClosed().ok());
}

TEST_F(SessionTest, GoAwayWithoutCallsClosesTheLink) {
  Start();
  server_->GoAway("maintenance");
  EXPECT_FALSE(server_handler_->AwaitClosed().ok());
  EXPECT_FALSE(client_handler_->AwaitClosed().ok());
}

TEST_F(SessionTest, AMessageOverTheServersLimitFailsItsCallAlone) {
  Start(LinkOptions(), /*max_message_bytes=*/100000);
  const auto large = StartCall("/large");
  const auto large_server = server_handler_->Next().call;
  const auto other = StartCall("/other");
  const auto other_server = server_handler_->Next().call;
  ASSERT_NE(other_server, nullptr);
  large->call()->SendMessage(ToMessage(Pattern(100001)));
  large->call()->Flush();
  EXPECT_EQ(large_server->AwaitAborted().code(),
            absl::StatusCode::kResourceExhausted);
  absl::optional<Received> last = large->Next();
  ASSERT_TRUE(last.has_value());
  ASSERT_TRUE(absl::holds_alternative<wire::Trailers>(*last));
  EXPECT_EQ(absl::get<wire::Trailers>(*last).code(), 8);
  EXPECT_EQ(absl::get<wire::Trailers>(*last).message(),
            "Received message larger than max (100001 vs. 100000)");
  other->call()->SendMessage(ToMessage(Pattern(100000)));
  other->call()->Flush();
  EXPECT_EQ(other_server->NextMessage(), Pattern(100000));
}

TEST_F(SessionTest, AMessageOverTheClientsLimitCancelsItsCall) {
  Start(LinkOptions(), /*max_message_bytes=*/100000);
  const auto client = StartCall("/large");
  const auto server = server_handler_->Next().call;
  ASSERT_NE(server, nullptr);
  server->call()->SendMessage(ToMessage(Pattern(100001)));
  server->call()->Flush();
  EXPECT_EQ(client->AwaitAborted().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(server->AwaitAborted().code(), absl::StatusCode::kCancelled);
}

TEST_F(SessionTest, CallsOverTheLimitAreRefused) {
  Start(LinkOptions(), -1, /*max_calls=*/2);
  StartCall("/1");
  StartCall("/2");
  const auto third = StartCall("/3");
  absl::optional<Received> last = third->Next();
  ASSERT_TRUE(last.has_value());
  ASSERT_TRUE(absl::holds_alternative<wire::Trailers>(*last));
  EXPECT_EQ(absl::get<wire::Trailers>(*last).code(), 8);
}

TEST_F(SessionTest, MetadataThatDoesNotFitIsRefusedOnEitherSide) {
  Start();
  wire::CallStart start;
  start.add_metadata()->set_value(Pattern(LinkOptions().ring_bytes));
  EXPECT_EQ(client_->StartCall(start, nullptr).status().code(),
            absl::StatusCode::kResourceExhausted);

  const auto client = StartCall("/answered with too much");
  const auto server = server_handler_->Next().call;
  ASSERT_NE(server, nullptr);
  wire::InitialMetadata initial;
  initial.add_metadata()->set_value(Pattern(LinkOptions().ring_bytes));
  server->call()->SendInitialMetadata(initial);
  server->call()->Flush();
  absl::optional<Received> last = client->Next();
  ASSERT_TRUE(last.has_value());
  ASSERT_TRUE(absl::holds_alternative<wire::Trailers>(*last));
  EXPECT_EQ(absl::get<wire::Trailers>(*last).code(), 8);
}

TEST_F(SessionTest, AThousandCallsShareALink) {
  Start();
  std::vector<std::shared_ptr<RecordingCall>> clients;
  std::vector<RecordingSession::Arrived> servers;
  for (int i = 0; i < 1000; ++i) {
    clients.push_back(StartCall(std::to_string(i)));
  }
  for (int i = 0; i < 1000; ++i) servers.push_back(server_handler_->Next());
  for (int i = 999; i >= 0; --i) {
    ASSERT_NE(servers[i].call, nullptr);
    const std::shared_ptr<Call>& call = servers[i].call->call();
    call->SendMessage(ToMessage(servers[i].start.method()));
    call->SendTrailers(wire::Trailers());
    call->Flush();
  }
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(clients[i]->NextMessage(), std::to_string(i));
  }
}

// The window holds the second message up, of which the beginning is on its way.
TEST_F(SessionTest, AMessageIsItsLendersAgainOnceItIsKept) {
  Start();
  const auto call = StartCall("/a.B/C");
  const RecordingSession::Arrived arrived = server_handler_->Next();
  ASSERT_NE(arrived.call, nullptr);
  const std::string first = Pattern(100000);
  std::string lent = Pattern(1 << 20);
  const auto borrow = [](const std::string& bytes) {
    return OutgoingMessage(
        {absl::MakeConstSpan(reinterpret_cast<const std::byte*>(bytes.data()),
                             bytes.size())},
        OutgoingMessage::Owner(nullptr, [](void*) {}), /*is_borrowed=*/true);
  };
  call->call()->SendMessage(borrow(first));
  call->call()->SendMessage(borrow(lent));
  call->call()->SendMessage(ToMessage("last"));
  call->call()->SendHalfClose();
  call->call()->Flush();
  ASSERT_TRUE(call->AwaitSent(1));
  EXPECT_TRUE(call->call()->KeepMessages());
  lent.assign(lent.size(), '!');

  EXPECT_EQ(arrived.call->NextMessage(), first);
  EXPECT_TRUE(arrived.call->NextMessage() == Pattern(1 << 20));
  EXPECT_EQ(arrived.call->NextMessage(), "last");
  absl::optional<Received> end = arrived.call->Next();
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(absl::holds_alternative<HalfClose>(*end));
}

}  // namespace
}  // namespace grpc_shm
