// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A peer that does not ring when it has to: what it publishes is found all the
// same, and counted. One that does leaves the counter alone.

#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/unit/call/link_pair.h"
#include "tests/unit/call/recording_handlers.h"
#include "transport/call/frame.h"
#include "transport/call/session.h"
#include "transport/link/timeouts.h"

namespace grpc_shm {
namespace {

// Long enough for the timer to look so often.
constexpr absl::Duration kThreeLooks = absl::Seconds(3);

class SessionBackstopTest : public testing::Test {
 protected:
  SessionBackstopTest() {
    LinkOptions links;
    links.ring_bytes = links.min_ring_bytes;
    LinkPair pair = MakeLinkPair(links);
    peer_ = std::move(pair.server);
    SessionOptions options;
    options.address = "shm:test";
    session_ = *Session::Start(std::move(pair.client), options, handler_);
    call_->Attach(*session_->StartCall(wire::CallStart(), call_));
    call_->call()->Flush();
  }
  ~SessionBackstopTest() override {
    session_->Close(absl::CancelledError("test over"));
  }

  // True: the session sleeps, and relies on the doorbell.
  bool Publish(FrameType type, const std::string& payload) {
    std::byte* const to = peer_->producer().TryReserve(payload.size());
    std::memcpy(to, payload.data(), payload.size());
    RecordHeader header{};
    header.length = static_cast<uint32_t>(payload.size());
    header.type = static_cast<uint8_t>(type);
    header.call_id = 1;
    peer_->producer().Commit(header);
    return peer_->producer().Publish();
  }

  // A frame that changes nothing.
  bool PublishNothing() {
    return Publish(FrameType::kCredit, std::string(sizeof(CreditPayload), 0));
  }
  bool PublishAnswer() {
    return Publish(FrameType::kTrailers,
                   TrailersOf(absl::OkStatus()).SerializeAsString());
  }

  // Reads all there is. True: the session sleeps until there is space, and
  // relies on the doorbell.
  bool ReadAll() {
    RecordHeader header;
    const std::byte* payload;
    while (peer_->consumer().Peek(&header, &payload) ==
           RingConsumer::Next::kRecord) {
      peer_->consumer().Pop();
    }
    peer_->consumer().Release();
    return peer_->consumer().TakeProducerWakeup();
  }

  static bool Eventually(absl::FunctionRef<bool()> condition,
                         absl::Duration timeout = kPatience) {
    const absl::Time end = absl::Now() + timeout;
    while (!condition()) {
      if (absl::Now() > end) return false;
      absl::SleepFor(absl::Milliseconds(1));
    }
    return true;
  }

  uint64_t Lost() const { return Session::lost_wakeups() - before_; }

  const uint64_t before_ = Session::lost_wakeups();
  const std::shared_ptr<RecordingSession> handler_ =
      std::make_shared<RecordingSession>();
  const std::shared_ptr<RecordingCall> call_ =
      std::make_shared<RecordingCall>();
  std::unique_ptr<Link> peer_;
  std::shared_ptr<Session> session_;
};

TEST_F(SessionBackstopTest, FindsAndCountsWhatNobodyWasWokenFor) {
  // A session that is just falling asleep sees it all the same, and is to be
  // tried again.
  while (Lost() == 0 && !HasFailure()) {
    ASSERT_TRUE(Eventually([&] { return PublishNothing(); }));
    Eventually([&] { return Lost() == 1; }, kThreeLooks);
  }
  EXPECT_EQ(Lost(), 1u);
  // It has read that, and sleeps again.
  EXPECT_TRUE(Eventually([&] { return PublishNothing(); }));
}

TEST_F(SessionBackstopTest, FindsAndCountsSpaceThatNobodyWasWokenFor) {
  call_->call()->SendMessage(
      ToMessage(std::string(12 * peer_->ring_bytes(), 'x')));
  call_->call()->Flush();
  EXPECT_EQ(Lost(), 0u);
  ASSERT_TRUE(Eventually([&] {
    ReadAll();
    return Lost() == 1;
  }));
  // It goes on, and may have slept again by the last look.
  peer_->RingDoorbell();
  ASSERT_TRUE(Eventually([&] {
    if (ReadAll()) peer_->RingDoorbell();
    return call_->sent() == 1;
  }));
  EXPECT_EQ(Lost(), 1u);
}

TEST_F(SessionBackstopTest, CountsNothingWhenTheBellRings) {
  ASSERT_TRUE(Eventually([&] {
    if (!PublishNothing()) return false;
    peer_->RingDoorbell();
    return true;
  }));
  absl::SleepFor(kThreeLooks);
  EXPECT_EQ(Lost(), 0u);
}

TEST_F(SessionBackstopTest, LooksNoMoreOnceThereAreNoCalls) {
  if (PublishAnswer()) peer_->RingDoorbell();
  ASSERT_TRUE(call_->Next().has_value());
  ASSERT_EQ(session_->calls(), 0u);
  absl::SleepFor(kThreeLooks);  // the first finds no calls
  const int64_t armed = Timeouts::Get().times_armed();
  absl::SleepFor(kThreeLooks);
  EXPECT_EQ(Timeouts::Get().times_armed(), armed);
}

}  // namespace
}  // namespace grpc_shm
