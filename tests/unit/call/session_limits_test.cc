// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What a peer can make a session keep is bounded, and only the call, or the
// link, that is too much suffers.

#include <poll.h>
#include <sched.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/call/link_pair.h"
#include "tests/unit/call/recording_handlers.h"
#include "transport/call/session.h"

namespace grpc_shm {
namespace {

using ::testing::HasSubstr;
using Role = SessionOptions::Role;

constexpr int kResourceExhausted =
    static_cast<int>(absl::StatusCode::kResourceExhausted);

class SessionLimitsTest : public testing::Test {
 protected:
  // Both sides have the same limits.
  void Start(const SessionOptions& limits) {
    LinkPair pair = MakeLinkPair();
    client_ = StartOne(Role::kClient, std::move(pair.client), limits,
                       client_handler_);
    server_ = StartOne(Role::kServer, std::move(pair.server), limits,
                       server_handler_);
  }

  ~SessionLimitsTest() override {
    for (const auto& session : {client_, server_}) {
      if (session != nullptr) session->Close(absl::CancelledError("test over"));
    }
  }

  static std::shared_ptr<Session> StartOne(
      Role role, std::unique_ptr<Link> link, SessionOptions options,
      const std::shared_ptr<RecordingSession>& handler) {
    options.role = role;
    options.address = "shm:test";
    absl::StatusOr<std::shared_ptr<Session>> session =
        Session::Start(std::move(link), options, handler);
    EXPECT_TRUE(session.ok()) << session.status();
    return *std::move(session);
  }

  std::shared_ptr<RecordingCall> StartCall(
      const wire::CallStart& start = wire::CallStart()) {
    auto handler = std::make_shared<RecordingCall>();
    absl::StatusOr<std::shared_ptr<Call>> call =
        client_->StartCall(start, handler);
    EXPECT_TRUE(call.ok()) << call.status();
    handler->Attach(*std::move(call));
    handler->call()->Flush();
    return handler;
  }

  static void Send(RecordingCall& call, size_t bytes) {
    call.call()->SendMessage(ToMessage(std::string(bytes, 'm')));
    call.call()->Flush();
  }

  static void ExpectRefused(RecordingCall& call, const std::string& told) {
    absl::optional<Received> last = call.Next();
    ASSERT_TRUE(last.has_value());
    ASSERT_TRUE(absl::holds_alternative<wire::Trailers>(*last));
    EXPECT_EQ(absl::get<wire::Trailers>(*last).code(), kResourceExhausted);
    EXPECT_THAT(absl::get<wire::Trailers>(*last).message(), HasSubstr(told));
  }

  const std::shared_ptr<RecordingSession> client_handler_ =
      std::make_shared<RecordingSession>();
  const std::shared_ptr<RecordingSession> server_handler_ =
      std::make_shared<RecordingSession>();
  std::shared_ptr<Session> client_;
  std::shared_ptr<Session> server_;
};

SessionOptions MaxMetadata(size_t bytes) {
  SessionOptions limits;
  limits.max_metadata_bytes = bytes;
  return limits;
}

TEST_F(SessionLimitsTest, ACallWithTooMuchMetadataIsRefusedAlone) {
  Start(MaxMetadata(1000));
  wire::CallStart start;
  start.add_metadata()->set_value(std::string(1000, 'v'));
  ExpectRefused(*StartCall(start), "metadata");
  StartCall();
  EXPECT_NE(server_handler_->Next().call, nullptr);
}

TEST_F(SessionLimitsTest, FieldsCountHoweverLittleIsInThem) {
  Start(MaxMetadata(1000));
  wire::CallStart start;
  for (int i = 0; i < 31; ++i) start.add_metadata();
  StartCall(start);
  EXPECT_NE(server_handler_->Next().call, nullptr);
  start.add_metadata();  // 32 * 32 = 1024
  ExpectRefused(*StartCall(start), "metadata of at least 1024 bytes");
}

TEST_F(SessionLimitsTest, TooMuchInitialMetadataCancelsItsCall) {
  Start(MaxMetadata(1000));
  const auto client = StartCall();
  const auto server = server_handler_->Next().call;
  ASSERT_NE(server, nullptr);
  wire::InitialMetadata initial;
  initial.add_metadata()->set_value(std::string(1000, 'v'));
  server->call()->SendInitialMetadata(initial);
  server->call()->Flush();
  EXPECT_EQ(client->AwaitAborted().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(server->AwaitAborted().code(), absl::StatusCode::kCancelled);
}

TEST_F(SessionLimitsTest, TooMuchTrailingMetadataFailsItsCall) {
  Start(MaxMetadata(1000));
  const auto client = StartCall();
  const auto server = server_handler_->Next().call;
  ASSERT_NE(server, nullptr);
  wire::Trailers trailers;
  trailers.add_metadata()->set_value(std::string(1000, 'v'));
  server->call()->SendTrailers(trailers);
  server->call()->Flush();
  EXPECT_EQ(client->AwaitAborted().code(),
            absl::StatusCode::kResourceExhausted);
  StartCall();
  EXPECT_NE(server_handler_->Next().call, nullptr);
}

class BufferedBytesTest : public SessionLimitsTest {
 protected:
  BufferedBytesTest() {
    SessionOptions limits;
    limits.max_buffered_bytes = 10000;
    Start(limits);
  }

  // Both sides of a call.
  struct Pair {
    std::shared_ptr<RecordingCall> client;
    std::shared_ptr<RecordingCall> server;
  };
  Pair StartPair() {
    Pair pair;
    pair.client = StartCall();
    pair.server = server_handler_->Next().call;
    EXPECT_NE(pair.server, nullptr);
    return pair;
  }

  // Once this has come, what was sent before has as well.
  void AwaitWhatWasSent() { StartPair(); }
};

TEST_F(BufferedBytesTest, OneMessageTooManyFailsItsCall) {
  const Pair first = StartPair();
  const Pair second = StartPair();
  Send(*first.client, 6000);
  Send(*second.client, 6000);
  EXPECT_EQ(second.server->AwaitAborted().code(),
            absl::StatusCode::kResourceExhausted);
  ExpectRefused(*second.client, "limit of 10000 bytes");
  EXPECT_EQ(first.server->NextMessage(), std::string(6000, 'm'));
}

TEST_F(BufferedBytesTest, WhatIsTakenCountsNoMore) {
  const Pair first = StartPair();
  const Pair second = StartPair();
  for (int i = 0; i < 3; ++i) {
    Send(*first.client, 6000);
    EXPECT_EQ(first.server->NextMessage(), std::string(6000, 'm'));
    Send(*second.client, 6000);
    EXPECT_EQ(second.server->NextMessage(), std::string(6000, 'm'));
  }
}

TEST_F(BufferedBytesTest, ASingleMessageMayBeLarger) {
  const Pair call = StartPair();
  Send(*call.client, 1000000);
  EXPECT_EQ(call.server->NextMessage(), std::string(1000000, 'm'));
}

TEST_F(BufferedBytesTest, AMessageThatIsNotCompleteCountsAsAWhole) {
  const Pair large = StartPair();
  const Pair small = StartPair();
  // More than the window, so it stops half-way behind the first one.
  Send(*large.client, 1000);
  Send(*large.client, 5000);
  Send(*small.client, 5000);
  EXPECT_EQ(small.server->AwaitAborted().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(BufferedBytesTest, WhatNobodyWillTakeIsForgottenWithItsCall) {
  Pair first = StartPair();
  Send(*first.client, 9000);
  AwaitWhatWasSent();
  first.client->call()->Cancel();
  EXPECT_EQ(first.server->AwaitAborted().code(), absl::StatusCode::kCancelled);
  const std::weak_ptr<RecordingCall> forgotten = first.server;
  first.server.reset();
  while (!forgotten.expired()) sched_yield();  // the session drops it at last
  const Pair second = StartPair();
  Send(*second.client, 9000);
  EXPECT_EQ(second.server->NextMessage(), std::string(9000, 'm'));
}

TEST_F(SessionLimitsTest, CancelledCallsCountWhileTheirHandlersRun) {
  SessionOptions limits;
  limits.max_calls = 2;
  Start(limits);
  std::vector<std::shared_ptr<RecordingCall>> running;
  for (int i = 0; i < 4; ++i) {
    const auto client = StartCall();
    running.push_back(server_handler_->Next().call);
    ASSERT_NE(running.back(), nullptr);
    client->call()->Cancel();
    EXPECT_EQ(running.back()->AwaitAborted().code(),
              absl::StatusCode::kCancelled);
  }
  EXPECT_EQ(server_->calls(), 0u);
  ExpectRefused(*StartCall(), "limit of 2 open calls");
  const std::weak_ptr<RecordingCall> last = running.back();
  running.clear();
  while (!last.expired()) sched_yield();
  StartCall();
  EXPECT_NE(server_handler_->Next().call, nullptr);
}

// The peer is a bare link: it writes, and reads nothing.
TEST_F(SessionLimitsTest, WhoDoesNotReadItsRefusalsLosesTheLink) {
  LinkPair pair = MakeLinkPair();
  SessionOptions limits;
  limits.max_calls = 1;
  server_ =
      StartOne(Role::kServer, std::move(pair.server), limits, server_handler_);
  RingProducer& ring = pair.client->producer();
  pollfd socket = {pair.client->control_fd(), POLLRDHUP, 0};
  for (uint64_t id = 1; poll(&socket, 1, 0) == 0;) {
    if (ring.TryReserve(0) == nullptr) {
      sched_yield();
      continue;
    }
    RecordHeader header{};
    header.type = static_cast<uint8_t>(FrameType::kCall);
    header.call_id = id++;
    ring.Commit(header);
    if (ring.Publish()) pair.client->RingDoorbell();
  }
  EXPECT_THAT(std::string(server_handler_->AwaitClosed().message()),
              HasSubstr("refusals of calls are not read"));
}

TEST_F(SessionLimitsTest, WhoAcceptsWhatWasNeverOfferedLosesTheLink) {
  LinkPair pair = MakeLinkPair();
  SessionOptions limits;
  limits.max_calls = 10;
  limits.offers = true;
  client_ =
      StartOne(Role::kClient, std::move(pair.client), limits, client_handler_);
  RingProducer& ring = pair.server->producer();
  for (uint64_t id = 1; id <= 11; ++id) {
    ASSERT_NE(ring.TryReserve(0), nullptr);
    RecordHeader header{};
    header.type = static_cast<uint8_t>(FrameType::kAccept);
    header.call_id = id;
    ring.Commit(header);
  }
  if (ring.Publish()) pair.server->RingDoorbell();
  EXPECT_THAT(std::string(client_handler_->AwaitClosed().message()),
              HasSubstr("more calls are accepted"));
}

// As long as the server reads nothing, there is only so much that a client
// keeps of calls that are over.
TEST_F(SessionLimitsTest, CallsCancelledBeforeTheyLeftAreForgotten) {
  LinkPair pair = MakeLinkPair();
  client_ = StartOne(Role::kClient, std::move(pair.client), SessionOptions(),
                     client_handler_);
  wire::CallStart large;
  large.set_method(std::string(100000, 'm'));
  for (int i = 0; i < 3; ++i) StartCall(large);  // the ring is full
  std::vector<std::weak_ptr<Call>> cancelled;
  for (int i = 0; i < 1000; ++i) {
    const auto call = StartCall();
    cancelled.push_back(call->call());
    call->call()->Cancel();
  }
  int kept = 0;
  for (const auto& call : cancelled) kept += call.expired() ? 0 : 1;
  EXPECT_LE(kept, 70);
}

}  // namespace
}  // namespace grpc_shm
