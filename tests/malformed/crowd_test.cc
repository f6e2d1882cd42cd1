// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Clients that are a nuisance by their number or their zeal, not by what they
// say: everybody else is served all the while.

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/integration/transport_test.h"
#include "tests/malformed/health.h"
#include "tests/malformed/raw_link.h"

namespace grpc_shm {
namespace testing {
namespace {

// A client that has no link yet.
grpc::Status CallAnew(VictimServer& victim) {
  return CallUnary(victim.server().NewChannel({}));
}

TEST(CrowdTest, AThousandConnectionsThatSayNothingKeepNobodyOut) {
  ServerConfig config;
  config.mutable_limits()->set_max_handshakes(100);
  VictimServer victim(Transport::kShm, config);
  std::vector<UniqueFd> silent;
  while (silent.size() < 1000) {
    silent.push_back(ConnectRaw(victim.socket_path()));
    ASSERT_TRUE(silent.back().valid());
    if (silent.size() % 100 == 0) {
      EXPECT_THAT(CallAnew(victim), IsOk());
      EXPECT_THAT(victim.CallHonestly(), IsOk());
    }
  }
  // Of those who say nothing, the oldest have gone.
  for (size_t i = 0; i < 900; ++i) ExpectHangUp(silent[i].get());
  silent.clear();
  victim.ExpectUnharmed();
}

TEST(CrowdTest, WhoSaysNothingIsDroppedInTheEnd) {
  ServerConfig config;
  config.mutable_limits()->set_handshake_timeout_ms(50);
  VictimServer victim(Transport::kShm, config);
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 100; ++i)
    silent.push_back(ConnectRaw(victim.socket_path()));
  for (const UniqueFd& socket : silent) ExpectHangUp(socket.get());
  victim.ExpectUnharmed();
}

TEST(CrowdTest, SilentConnectionsDoNotTakeTheLastDescriptors) {
  VictimServer victim(Transport::kShm);
  ControlRequest request;
  request.mutable_limit_resource()->set_spare(20);
  ASSERT_EQ(victim.server().Command(request).code(), 0);
  victim.TakeStock();
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 200; ++i)
    silent.push_back(ConnectRaw(victim.socket_path()));
  EXPECT_THAT(CallAnew(victim), IsOk());
  EXPECT_THAT(victim.CallHonestly(), IsOk());
  silent.clear();
  victim.ExpectUnharmed();
}

TEST(CrowdTest, HandshakesMayStopAnywhere) {
  VictimServer victim(Transport::kShm);
  const std::string hello = GoodHello().SerializeAsString();
  for (int i = 0; i < 50; ++i) {
    {  // Says nothing.
      const UniqueFd socket = ConnectRaw(victim.socket_path());
    }
    {  // Says half.
      const UniqueFd socket = ConnectRaw(victim.socket_path());
      SendRaw(socket.get(), hello.substr(0, hello.size() / 2));
    }
    {  // Does not wait for the answer.
      const UniqueFd socket = ConnectRaw(victim.socket_path());
      SendRaw(socket.get(), hello);
    }
    {  // Says it twice.
      const UniqueFd socket = ConnectRaw(victim.socket_path());
      SendRaw(socket.get(), hello);
      SendRaw(socket.get(), hello);
      ReceiveRaw(socket.get());
    }
    {  // Goes with the answer.
      UniqueFd socket = ConnectRaw(victim.socket_path());
      SendRaw(socket.get(), hello);
      RawLink::ReceiveWelcome(std::move(socket));
    }
  }
  victim.ExpectUnharmed();
}

TEST(CrowdTest, AnsweredButNeverUsedLinksAreCheap) {
  VictimServer victim(Transport::kShm);
  {
    std::vector<RawLink> idle;
    wire::Hello hello = GoodHello();
    hello.set_ring_bytes(1);  // the smallest there are
    for (int i = 0; i < 500; ++i) idle.push_back(victim.NewLink(hello));
    EXPECT_THAT(CallAnew(victim), IsOk());
    EXPECT_TRUE(ComesToRest(victim.pid()));
  }
  victim.ExpectUnharmed();
}

// Each on its own thread, until it is told to stop.
class Nuisances {
 public:
  template <typename Body>
  void Add(Body body) {
    threads_.emplace_back([this, body = std::move(body)]() mutable {
      while (!stop_.load(std::memory_order_relaxed)) body();
    });
  }
  ~Nuisances() {
    stop_.store(true);
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

TEST(CrowdTest, ADoorbellStormIsOutlasted) {
  VictimServer victim(Transport::kShm);
  {
    std::vector<RawLink> links;
    for (int i = 0; i < 12; ++i) links.push_back(victim.NewLink());
    Nuisances storm;
    storm.Add([&links] {
      for (RawLink& link : links) link.RingDoorbell();
    });
    for (int i = 0; i < 50; ++i) EXPECT_THAT(victim.CallHonestly(), IsOk());
    EXPECT_THAT(CallAnew(victim), IsOk());
  }
  victim.ExpectUnharmed();
}

// More links than the server has threads for are never empty.
TEST(CrowdTest, LinksThatNeverPauseDoNotStarveOthers) {
  VictimServer victim(Transport::kShm);
  {
    std::vector<RawLink> links;
    for (int i = 0; i < 12; ++i) {
      links.push_back(victim.NewLink());
      links.back().Write(FrameType::kCall, 1, StartOf("Bidi"));
      links.back().Write(FrameType::kCancel, 1);
    }
    Nuisances floods;
    floods.Add([&links] {
      // Of a call that is over: each is read, and means nothing.
      RecordHeader header{};
      header.type = static_cast<uint8_t>(FrameType::kCancel);
      header.call_id = 1;
      for (RawLink& link : links) {
        while (link.HasSpace(0)) link.Put(header, "");
        link.Publish();
      }
    });
    for (int i = 0; i < 20; ++i) EXPECT_THAT(victim.CallHonestly(), IsOk());
    EXPECT_THAT(CallAnew(victim), IsOk());
  }
  victim.ExpectUnharmed();
}

TEST(CrowdTest, ClientsThatNeverReadHoldNobodyUp) {
  VictimServer victim(Transport::kShm);
  {
    std::vector<RawLink> links;
    for (int i = 0; i < 3; ++i) {
      links.push_back(victim.NewLink());
      for (uint64_t id = 1; id <= 10; ++id) {
        links.back().Write(
            FrameType::kCall, id,
            StartOf("Bidi", MakeScript("stalled", {WriteUntilFailure(10000)})));
      }
    }
    EXPECT_NE(victim.server().AwaitEvent("stalled", "started", 30), 0);
    for (int i = 0; i < 20; ++i) EXPECT_THAT(victim.CallHonestly(), IsOk());
    EXPECT_TRUE(ComesToRest(victim.pid()));
  }
  EXPECT_NE(victim.server().AwaitEvent("stalled", "finished", 30), 0);
  victim.ExpectUnharmed();
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
