// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What a session does with a peer that breaks the protocol: one rule a test.
// The peer is a bare link, written to by hand.

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>

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

// The peer of the session under test.
class Peer {
 public:
  explicit Peer(std::unique_ptr<Link> link) : link_(std::move(link)) {}

  void Write(FrameType type, uint64_t call_id, const std::string& payload = "",
             uint8_t flags = 0) {
    std::byte* const to = link_->producer().TryReserve(payload.size());
    ASSERT_NE(to, nullptr);
    std::memcpy(to, payload.data(), payload.size());
    RecordHeader header{};
    header.length = static_cast<uint32_t>(payload.size());
    header.type = static_cast<uint8_t>(type);
    header.flags = flags;
    header.call_id = call_id;
    link_->producer().Commit(header);
    if (link_->producer().Publish()) link_->RingDoorbell();
  }

  void HangUp() { link_.reset(); }

 private:
  std::unique_ptr<Link> link_;
};

std::string Bytes(uint64_t value, size_t count) {
  return std::string(reinterpret_cast<const char*>(&value), count);
}

// A first fragment that announces `total` bytes and has `bytes` of them.
std::string FirstFragment(uint64_t total, size_t bytes) {
  return Bytes(total, kMessageLengthBytes) + std::string(bytes, 'x');
}

// The same of a message that has a large field.
std::string FirstFragmentOfBody(uint64_t total, size_t bytes) {
  // Field 1, of what is left.
  uint64_t size = total - 4;
  std::string wire("\x0a");
  for (; size > 0x7f; size >>= 7)
    wire += static_cast<char>((size & 0x7f) | 0x80);
  wire += static_cast<char>(size);
  return Bytes(total, kMessageLengthBytes) + wire +
         std::string(bytes - wire.size(), 'x');
}

struct Violation {
  const char* name;
  const char* told;  // part of the status
  std::function<void(Peer*)> commit;
};

class ViolationTest : public testing::TestWithParam<Violation> {
 protected:
  void Expect(Role role, bool wants_bodies = false) {
    LinkPair pair = MakeLinkPair();
    std::unique_ptr<Link>& own =
        role == Role::kServer ? pair.server : pair.client;
    Peer peer(role == Role::kServer ? std::move(pair.client)
                                    : std::move(pair.server));
    SessionOptions options;
    options.role = role;
    options.address = "shm:test";
    const auto handler = std::make_shared<RecordingSession>();
    absl::StatusOr<std::shared_ptr<Session>> session =
        Session::Start(std::move(own), options, handler);
    ASSERT_TRUE(session.ok());
    (*session)->WantBodies(wants_bodies);
    const auto call = std::make_shared<RecordingCall>();
    if (role == Role::kServer) {
      peer.Write(FrameType::kCall, 1);
      ASSERT_NE(handler->Next().call, nullptr);
    } else {
      absl::StatusOr<std::shared_ptr<Call>> started =
          (*session)->StartCall(wire::CallStart(), call);
      ASSERT_TRUE(started.ok());
      (*started)->Flush();
    }

    GetParam().commit(&peer);
    const absl::Status closed = handler->AwaitClosed();
    EXPECT_EQ(closed.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(closed.message()), HasSubstr("shm:test"));
    EXPECT_THAT(std::string(closed.message()),
                HasSubstr("broke the link protocol"));
    EXPECT_THAT(std::string(closed.message()), HasSubstr(GetParam().told));
    if (role == Role::kClient) {
      EXPECT_EQ(call->AwaitAborted(), closed);
    }
  }
};

using ClientViolation = ViolationTest;
using ServerViolation = ViolationTest;

TEST_P(ClientViolation, EndsTheLink) { Expect(Role::kServer); }

TEST_P(ClientViolation, EndsALinkThatWantsBodies) {
  Expect(Role::kServer, /*wants_bodies=*/true);
}

const size_t kWindow = LinkOptions().window_bytes;

INSTANTIATE_TEST_SUITE_P(
    Each, ClientViolation,
    testing::Values(
        Violation{"UnknownType", "type 99",
                  [](Peer* peer) { peer->Write(FrameType{99}, 1); }},
        Violation{"TypeZero", "type 0",
                  [](Peer* peer) { peer->Write(FrameType{0}, 1); }},
        Violation{"TrailersFromAClient", "type 5",
                  [](Peer* peer) { peer->Write(FrameType::kTrailers, 1); }},
        Violation{"GoAwayFromAClient", "type 8",
                  [](Peer* peer) { peer->Write(FrameType::kGoAway, 0); }},
        Violation{
            "UnknownFlags", "unknown flags",
            [](Peer* peer) { peer->Write(FrameType::kHalfClose, 1, "", 4); }},
        Violation{
            "UnknownMessageFlags", "unknown flags",
            [](Peer* peer) { peer->Write(FrameType::kMessage, 1, "x", 0xff); }},
        Violation{"BodyLongerThanAnnounced", "longer than announced",
                  [](Peer* peer) {
                    constexpr size_t kBytes = 70'000;
                    peer->Write(FrameType::kMessage, 1,
                                FirstFragmentOfBody(kBytes, kBytes / 2),
                                kMessageBegin);
                    peer->Write(FrameType::kMessage, 1,
                                std::string(kBytes / 2 + 1, 'x'));
                  }},
        Violation{"BodyShorterThanAnnounced", "shorter than announced",
                  [](Peer* peer) {
                    constexpr size_t kBytes = 70'000;
                    peer->Write(FrameType::kMessage, 1,
                                FirstFragmentOfBody(kBytes, kBytes / 2),
                                kMessageBegin);
                    peer->Write(FrameType::kMessage, 1, "x", kMessageEnd);
                  }},
        Violation{"ReusedCallId", "used before",
                  [](Peer* peer) { peer->Write(FrameType::kCall, 1); }},
        Violation{"CallStartThatIsNoProtobuf", "can't be parsed",
                  [](Peer* peer) {
                    peer->Write(FrameType::kCall, 2, "\xff\xff\xff\xff");
                  }},
        Violation{"FrameOfACallThatNeverWas", "does not exist",
                  [](Peer* peer) { peer->Write(FrameType::kCancel, 2); }},
        Violation{"FrameOfCallZero", "does not exist",
                  [](Peer* peer) { peer->Write(FrameType::kHalfClose, 0); }},
        Violation{"FragmentWithoutAFirst", "out of order",
                  [](Peer* peer) {
                    peer->Write(FrameType::kMessage, 1, "x", kMessageEnd);
                  }},
        Violation{"FirstFragmentTwice", "out of order",
                  [](Peer* peer) {
                    peer->Write(FrameType::kMessage, 1, FirstFragment(100, 10),
                                kMessageBegin);
                    peer->Write(FrameType::kMessage, 1, FirstFragment(100, 10),
                                kMessageBegin);
                  }},
        Violation{"FirstFragmentWithoutALength", "too short",
                  [](Peer* peer) {
                    peer->Write(FrameType::kMessage, 1, "1234567",
                                kMessageBegin);
                  }},
        Violation{"MessageShorterThanItsFirstFragment",
                  "shorter than its first",
                  [](Peer* peer) {
                    peer->Write(FrameType::kMessage, 1, FirstFragment(10, 10),
                                kMessageBegin);
                  }},
        Violation{"MessageLongerThanAnnounced", "longer than announced",
                  [](Peer* peer) {
                    peer->Write(FrameType::kMessage, 1, FirstFragment(20, 10),
                                kMessageBegin);
                    peer->Write(FrameType::kMessage, 1, std::string(11, 'x'),
                                kMessageEnd);
                  }},
        Violation{"MessageShorterThanAnnounced", "shorter than announced",
                  [](Peer* peer) {
                    peer->Write(FrameType::kMessage, 1, FirstFragment(20, 10),
                                kMessageBegin);
                    peer->Write(FrameType::kMessage, 1, std::string(9, 'x'),
                                kMessageEnd);
                  }},
        Violation{"EmptyFragment", "fragment is empty",
                  [](Peer* peer) {
                    peer->Write(FrameType::kMessage, 1, FirstFragment(20, 10),
                                kMessageBegin);
                    peer->Write(FrameType::kMessage, 1, "");
                  }},
        Violation{"MessageAfterHalfClose", "after the end of messages",
                  [](Peer* peer) {
                    peer->Write(FrameType::kHalfClose, 1);
                    peer->Write(FrameType::kMessage, 1, "late",
                                kMessageBegin | kMessageEnd);
                  }},
        Violation{"HalfCloseTwice", "half-closed twice",
                  [](Peer* peer) {
                    peer->Write(FrameType::kHalfClose, 1);
                    peer->Write(FrameType::kHalfClose, 1);
                  }},
        Violation{"HalfCloseWithinAMessage", "half-closed within a message",
                  [](Peer* peer) {
                    peer->Write(FrameType::kMessage, 1, FirstFragment(20, 10),
                                kMessageBegin);
                    peer->Write(FrameType::kHalfClose, 1);
                  }},
        Violation{"WindowExceeded", "window is exceeded",
                  [](Peer* peer) {
                    // Empty messages are charged, too. Nobody takes them.
                    for (size_t i = 0; i <= kWindow / kFrameCharge; ++i) {
                      peer->Write(FrameType::kMessage, 1, "",
                                  kMessageBegin | kMessageEnd);
                    }
                  }},
        Violation{
            "CreditOfTheWrongLength", "wrong length",
            [](Peer* peer) { peer->Write(FrameType::kCredit, 1, "123"); }},
        Violation{"CreditBeyondTheWindow", "exceeds the window",
                  [](Peer* peer) {
                    peer->Write(FrameType::kCredit, 1, Bytes(1, 4));
                  }}),
    [](const auto& info) { return info.param.name; });

TEST_P(ServerViolation, EndsTheLink) { Expect(Role::kClient); }

INSTANTIATE_TEST_SUITE_P(
    Each, ServerViolation,
    testing::Values(
        Violation{"CallFromAServer", "type 1",
                  [](Peer* peer) { peer->Write(FrameType::kCall, 1); }},
        Violation{"HalfCloseFromAServer", "type 4",
                  [](Peer* peer) { peer->Write(FrameType::kHalfClose, 1); }},
        Violation{"CancelFromAServer", "type 6",
                  [](Peer* peer) { peer->Write(FrameType::kCancel, 1); }},
        Violation{"TrailersOfACallThatNeverWas", "does not exist",
                  [](Peer* peer) { peer->Write(FrameType::kTrailers, 2); }},
        Violation{"InitialMetadataThatIsNoProtobuf", "can't be parsed",
                  [](Peer* peer) {
                    peer->Write(FrameType::kInitialMetadata, 1, "\xff\xff\xff");
                  }},
        Violation{"InitialMetadataTwice", "initial metadata twice",
                  [](Peer* peer) {
                    peer->Write(FrameType::kInitialMetadata, 1);
                    peer->Write(FrameType::kInitialMetadata, 1);
                  }},
        Violation{"GoAwayThatIsNoProtobuf", "can't be parsed",
                  [](Peer* peer) {
                    peer->Write(FrameType::kGoAway, 0, "\xff\xff\xff");
                  }}),
    [](const auto& info) { return info.param.name; });

// A server's session, and its peer.
class SessionProtocol : public testing::Test {
 protected:
  SessionProtocol() {
    LinkPair pair = MakeLinkPair();
    peer_ = std::make_unique<Peer>(std::move(pair.client));
    SessionOptions options;
    options.role = Role::kServer;
    options.address = "shm:test";
    session_ = *Session::Start(std::move(pair.server), options, handler_);
  }

  const std::shared_ptr<RecordingSession> handler_ =
      std::make_shared<RecordingSession>();
  std::unique_ptr<Peer> peer_;
  std::shared_ptr<Session> session_;
};

// In parts, and only if that is wanted; so that no byte of it is lost.
TEST_F(SessionProtocol, ALargeFieldIsApartWhereThatIsWanted) {
  peer_->Write(FrameType::kCall, 1);
  const std::shared_ptr<RecordingCall> call = handler_->Next().call;
  ASSERT_NE(call, nullptr);
  constexpr size_t kBytes = 70'000;
  for (const bool wanted : {false, true}) {
    session_->WantBodies(wanted);
    peer_->Write(FrameType::kMessage, 1, FirstFragmentOfBody(kBytes, 1000),
                 kMessageBegin);
    peer_->Write(FrameType::kMessage, 1, std::string(30'000, 'y'));
    peer_->Write(FrameType::kMessage, 1, std::string(kBytes - 31'000, 'z'),
                 kMessageEnd);
    absl::optional<Received> received = call->Next();
    ASSERT_TRUE(received.has_value());
    auto* const message = absl::get_if<ReceivedMessage>(&*received);
    ASSERT_NE(message, nullptr);
    EXPECT_EQ(message->size(), kBytes);
    ASSERT_EQ(message->has_body(), wanted);
    if (wanted) {
      EXPECT_EQ(message->body().field, 1u);
      EXPECT_EQ(message->body().value, 4u);
      EXPECT_TRUE(message->ReleaseBody() ==
                  std::string(996, 'x') + std::string(30'000, 'y') +
                      std::string(kBytes - 31'000, 'z'));
    }
    call->call()->MessageConsumed();
  }
}

TEST_F(SessionProtocol, FramesOfCallsThatAreOverAreIgnored) {
  peer_->Write(FrameType::kCall, 1);
  peer_->Write(FrameType::kCancel, 1);
  peer_->Write(FrameType::kMessage, 1, "late", kMessageBegin | kMessageEnd);
  peer_->Write(FrameType::kHalfClose, 1);
  peer_->Write(FrameType::kCredit, 1, Bytes(1, 4));
  peer_->Write(FrameType::kCancel, 1);
  peer_->Write(FrameType::kCall, 2);
  EXPECT_NE(handler_->Next().call, nullptr);
  EXPECT_NE(handler_->Next().call, nullptr);
  EXPECT_EQ(session_->calls(), 1u);
  peer_->HangUp();
  EXPECT_THAT(std::string(handler_->AwaitClosed().message()),
              HasSubstr("exited or closed the link"));
}

}  // namespace
}  // namespace grpc_shm
