// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A client that breaks one rule of the protocol after the other, against a
// server process. Whatever it does, the server ends its link (or does not
// mind), cancels its calls, serves others as before, holds nothing more, and
// comes to rest. What exactly is an offence, and how it is named, is for the
// unit tests of ring and session.

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/transport_test.h"
#include "tests/malformed/health.h"
#include "tests/malformed/raw_link.h"

namespace grpc_shm {
namespace testing {
namespace {

using Frame = RawLink::Frame;

constexpr uint8_t kWhole = kMessageBegin | kMessageEnd;

// One server for all attacks of a kind: what one leaves behind, the next finds.
VictimServer& Victim(Transport transport) {
  static auto* const victims =
      new std::map<Transport, std::unique_ptr<VictimServer>>;
  class Removal : public ::testing::Environment {
    void TearDown() override { victims->clear(); }
  };
  static const auto* const removal =
      ::testing::AddGlobalTestEnvironment(new Removal);
  (void)removal;
  std::unique_ptr<VictimServer>& victim = (*victims)[transport];
  if (victim == nullptr) victim = std::make_unique<VictimServer>(transport);
  return *victim;
}

void PutHeader(RawLink& link, uint32_t length, uint8_t type, uint8_t flags = 0,
               uint16_t reserved = 0, uint64_t call_id = 1) {
  link.Put({length, type, flags, reserved, call_id}, "");
  link.Publish();
}

void SetTail(RawLink& link, uint64_t tail) {
  link.out().tail.store(tail);
  link.RingDoorbell();
}

std::string Credit(uint32_t bytes) {
  return std::string(reinterpret_cast<const char*>(&bytes), sizeof(bytes));
}

// Has the server fill its ring and wait for space, then says that there is
// some.
void SetHead(RawLink& link, uint64_t head) {
  const auto await_bytes = [&link](size_t bytes) {
    while (link.in().tail.load() - link.head() < bytes && !link.HungUp())
      sched_yield();
  };
  link.Write(FrameType::kCall, 2,
             StartOf("Bidi", MakeScript("writer", {WriteUntilFailure(1000)})));
  await_bytes(link.ring_bytes() / 2);
  // So that the ring is full before the window is used up.
  link.Write(FrameType::kCredit, 2, Credit(20000));
  await_bytes(link.ring_bytes() - 2000);
  // Now there is a past to go back to, as the server has noticed.
  const uint64_t tail = link.in().tail.load();
  while (link.in().tail.load() == tail && !link.HungUp()) {
    link.Read();  // one frame alone may make too little space
    sched_yield();
  }
  link.in().head.store(head);
  while (!link.HungUp()) {
    link.RingDoorbell();
    sched_yield();
  }
}

// How a call ends that the server answers.
wire::Trailers AwaitTrailers(RawLink& link) {
  wire::Trailers trailers;
  for (;;) {
    const absl::optional<Frame> frame = link.AwaitFrame();
    if (!frame.has_value()) {
      ADD_FAILURE() << "the server has hung up";
      return trailers;
    }
    if (frame->header.type != static_cast<uint8_t>(FrameType::kTrailers))
      continue;
    EXPECT_TRUE(trailers.ParseFromString(frame->payload));
    return trailers;
  }
}

// What a client does once it has a link and a call, number 1, that runs.
struct Attack {
  const char* name;
  std::function<void(RawLink&)> commit;
};

std::vector<Attack> FatalAttacks() {
  return {
      // Headers.
      {"UnknownType", [](RawLink& link) { PutHeader(link, 0, 99); }},
      {"TypeZero", [](RawLink& link) { PutHeader(link, 0, 0); }},
      {"TypeOfAServer", [](RawLink& link) { PutHeader(link, 0, 5); }},
      {"UnknownFlags", [](RawLink& link) { PutHeader(link, 0, 6, 0x80); }},
      {"ReservedBits", [](RawLink& link) { PutHeader(link, 0, 6, 0, 1); }},
      {"CallZero", [](RawLink& link) { PutHeader(link, 0, 6, 0, 0, 0); }},
      {"CallThatNeverWas",
       [](RawLink& link) { PutHeader(link, 0, 6, 0, 0, 1234); }},
      {"CallThatWas", [](RawLink& link) { PutHeader(link, 0, 1, 0, 0, 1); }},
      {"CallsBackwards",
       [](RawLink& link) {
         PutHeader(link, 0, 1, 0, 0, ~uint64_t{0});
         PutHeader(link, 0, 1, 0, 0, 2);
       }},
      {"LengthBeyondWhatIsPublished",
       [](RawLink& link) { PutHeader(link, 1, 6); }},
      {"LengthBeyondTheRing",
       [](RawLink& link) { PutHeader(link, 1 << 20, 6); }},
      {"LengthOfEverything",
       [](RawLink& link) { PutHeader(link, ~uint32_t{0}, 6); }},
      // Indices.
      {"TailMovesBack", [](RawLink& link) { SetTail(link, link.tail() - 16); }},
      {"TailToZero", [](RawLink& link) { SetTail(link, 0); }},
      {"TailBeyondTheRing",
       [](RawLink& link) {
         SetTail(link, link.tail() + link.ring_bytes() + 16);
       }},
      {"TailAtTheEndOfNumbers",
       [](RawLink& link) { SetTail(link, ~uint64_t{15}); }},
      {"TailBetweenRecords",
       [](RawLink& link) { SetTail(link, link.tail() + 8); }},
      {"HeadMovesBack", [](RawLink& link) { SetHead(link, 0); }},
      {"HeadBeyondWhatIsPublished",
       [](RawLink& link) { SetHead(link, uint64_t{1} << 40); }},
      {"HeadAtTheEndOfNumbers",
       [](RawLink& link) { SetHead(link, ~uint64_t{15}); }},
      {"HeadBetweenRecords",
       [](RawLink& link) { SetHead(link, link.head() + 8); }},
      {"ControlBlocksOfOnes",
       [](RawLink& link) {
         std::memset(link.segment(), 0xff, sizeof(LinkControl));
         link.RingDoorbell();
       }},
      {"NothingButOnes",
       [](RawLink& link) {
         std::memset(link.segment(), 0xff, link.segment_bytes());
         link.RingDoorbell();
       }},
      // Frames.
      {"CallThatIsNoProtobuf",
       [](RawLink& link) { link.Write(FrameType::kCall, 2, "\xff\xff"); }},
      {"CreditOverflow",
       [](RawLink& link) {
         link.Write(FrameType::kCredit, 1, Credit(~uint32_t{0}));
       }},
      {"CreditForNothing",
       [](RawLink& link) { link.Write(FrameType::kCredit, 1, Credit(1)); }},
      {"CreditOfThreeBytes",
       [](RawLink& link) { link.Write(FrameType::kCredit, 1, "123"); }},
      {"WindowExceeded",
       [](RawLink& link) {
         // Nobody reads them. Empty ones cost, too.
         for (uint32_t i = 0; i <= link.window_bytes() / kFrameCharge + 1; ++i)
           link.Write(FrameType::kMessage, 1, "", kWhole);
       }},
      {"EndlessEmptyFragments",
       [](RawLink& link) {
         link.Write(FrameType::kMessage, 1, FirstFragment(1000, "x"),
                    kMessageBegin);
         while (link.Write(FrameType::kMessage, 1)) {
         }
       }},
      {"MessageLongerThanAnnounced",
       [](RawLink& link) {
         link.Write(FrameType::kMessage, 1, FirstFragment(3, "x"),
                    kMessageBegin);
         link.Write(FrameType::kMessage, 1, "xyz");
       }},
      {"MessageAfterTheLast",
       [](RawLink& link) {
         link.Write(FrameType::kHalfClose, 1);
         link.Write(FrameType::kMessage, 1, "late", kWhole);
       }},
      {"HalfCloseTwice",
       [](RawLink& link) {
         link.Write(FrameType::kHalfClose, 1);
         link.Write(FrameType::kHalfClose, 1);
       }},
      // The control socket.
      {"PacketAfterTheHandshake",
       [](RawLink& link) { SendRaw(link.socket(), "hello again"); }},
      {"DescriptorsAfterTheHandshake",
       [](RawLink& link) {
         SendRaw(link.socket(), "take these",
                 {link.own_doorbell(), link.own_doorbell(), link.socket()});
       }},
      // Records that change while they are read.
      {"DoorbellThatRingsForNothing",
       [](RawLink& link) {
         while (!link.HungUp()) {
           link.RingDoorbell();
           sched_yield();
         }
       }},
      {"RecordsThatChange",
       [](RawLink& link) {
         std::atomic<bool> stop{false};
         std::thread mutator([&link, &stop] {
           std::minstd_rand random(2026);
           while (!stop.load()) {
             std::byte* const at =
                 link.out_data() + random() % (link.ring_bytes() / 8) * 8;
             __atomic_store_n(reinterpret_cast<uint64_t*>(at), random(),
                              __ATOMIC_RELAXED);
           }
         });
         for (uint64_t id = 2;
              link.Write(FrameType::kCall, id, StartOf("Unary")); ++id) {
           link.Write(FrameType::kMessage, id, std::string(100, 'x'), kWhole);
           link.Write(FrameType::kHalfClose, id);
           while (link.Read().has_value()) {
           }
         }
         stop.store(true);
         mutator.join();
       }},
  };
}

// What the server need not mind: it is the client that loses by it.
std::vector<Attack> FutileAttacks() {
  return {
      {"HeaderOfTheSegment",
       [](RawLink& link) {
         std::memset(link.segment(), 0xff, sizeof(LinkHeader));
       }},
      {"CopiesOfTheServersOwnIndices",
       [](RawLink& link) {
         link.out().head.store(12345);
         link.RingDoorbell();
       }},
      {"FlagsOfAnyValue",
       [](RawLink& link) {
         link.out().consumer_armed.store(0xdeadbeef);
         link.out().producer_armed.store(0xdeadbeef);
         link.in().consumer_armed.store(0xdeadbeef);
         link.in().producer_armed.store(0xdeadbeef);
       }},
      {"DoorbellsThatOverflow",
       [](RawLink& link) {
         // Their flags and counters are shared: an ordinary write would block.
         for (int fd : {link.own_doorbell(), link.peer_doorbell()}) {
           const uint64_t most = ~uint64_t{0} - 2;
           (void)!write(fd, &most, sizeof(most));
           fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
         }
       }},
      {"FramesOfCallsThatAreOver",
       [](RawLink& link) {
         link.Write(FrameType::kCall, 2, StartOf("Bidi"));
         link.Write(FrameType::kCancel, 2);
         for (int i = 0; i < 10000; ++i) link.Write(FrameType::kCancel, 2);
       }},
      {"MetadataThatIsIllegal",
       [](RawLink& link) {
         wire::CallStart start;
         start.set_method("/grpc_shm.testing.EchoService/Unary");
         const std::string nul("\0", 1);
         for (const std::string& key :
              {std::string(), std::string(":path"), std::string("Upper"),
               std::string("te"), std::string("grpc-timeout"), nul,
               std::string("white space"), std::string("grpc-shm-peer"),
               std::string("grpc-status"), std::string("x-bin")}) {
           for (const std::string& value :
                {std::string(), nul, std::string("\xff\n\r"),
                 std::string(1000, 'v')}) {
             wire::Metadatum* const field = start.add_metadata();
             field->set_key(key);
             field->set_value(value);
           }
         }
         link.Write(FrameType::kCall, 2, start.SerializeAsString());
         link.Write(FrameType::kMessage, 2, "", kWhole);
         link.Write(FrameType::kHalfClose, 2);
         AwaitTrailers(link);
       }},
      {"MethodsThatCannotBe",
       [](RawLink& link) {
         uint64_t id = 1;
         for (const std::string& method :
              {std::string(), std::string("/"), std::string("no slash"),
               std::string("/\0/\0", 4), std::string("\xff\xfe/\xff"),
               std::string("/grpc_shm.testing.EchoService/"),
               std::string(10000, '/')}) {
           wire::CallStart start;
           start.set_method(method);
           start.set_authority(method);
           link.Write(FrameType::kCall, ++id, start.SerializeAsString());
           link.Write(FrameType::kHalfClose, id);
           AwaitTrailers(link);
         }
       }},
      {"TimeoutsThatCannotBe",
       [](RawLink& link) {
         uint64_t id = 1;
         for (int64_t timeout :
              {INT64_MIN, INT64_MIN + 1, int64_t{-1}, int64_t{0}, int64_t{1},
               INT64_MAX - 1, INT64_MAX}) {
           wire::CallStart start;
           start.set_method("/grpc_shm.testing.EchoService/Unary");
           start.set_timeout_ns(timeout);
           link.Write(FrameType::kCall, ++id, start.SerializeAsString());
           link.Write(FrameType::kMessage, id, "", kWhole);
           link.Write(FrameType::kHalfClose, id);
           const wire::Trailers trailers = AwaitTrailers(link);
           // One that has passed may still be answered in time.
           EXPECT_TRUE(trailers.code() == 0 ||
                       (trailers.code() == 4 && timeout <= 1))
               << timeout << ": " << trailers.code();
         }
       }},
      {"MetadataBombs",
       [](RawLink& link) {
         // Two bytes a field; each takes a hundred in memory.
         wire::CallStart bomb;
         for (size_t i = 0; i < MaxRecordPayload(link.ring_bytes()) / 2; ++i)
           bomb.add_metadata();
         for (uint64_t id = 2; id < 100; ++id) {
           link.Write(FrameType::kCall, id, bomb.SerializeAsString());
           link.Write(FrameType::kCancel, id);
           while (link.Read().has_value()) {
           }
         }
       }},
      {"MessagesTooLarge",
       [](RawLink& link) {
         uint64_t id = 1;
         for (uint64_t total :
              {uint64_t{5} << 20, uint64_t{1} << 40, ~uint64_t{0}}) {
           link.Write(FrameType::kCall, ++id, StartOf("Bidi"));
           link.Write(FrameType::kMessage, id, FirstFragment(total, "x"),
                      kMessageBegin);
           EXPECT_EQ(AwaitTrailers(link).code(), 8);
         }
       }},
      {"EndlessFragments",
       [](RawLink& link) {
         // A message of bytes that come one by one, and never all.
         link.Write(FrameType::kMessage, 1, FirstFragment(4 << 20, "x"),
                    kMessageBegin);
         for (int i = 0; i < 20000; ++i) {
           link.Write(FrameType::kMessage, 1, "x");
           while (link.Read().has_value()) {
           }
         }
       }},
      {"RequestsThatAreNoProtobuf",
       [](RawLink& link) {
         for (uint64_t id = 2; id < 20; ++id) {
           link.Write(FrameType::kCall, id, StartOf("Unary"));
           link.Write(FrameType::kMessage, id, "\xff\xff\xff\xff", kWhole);
           link.Write(FrameType::kHalfClose, id);
           AwaitTrailers(link);
         }
       }},
      {"CallsWithoutARequest",
       [](RawLink& link) {
         for (uint64_t id = 2; id < 20; ++id) {
           link.Write(FrameType::kCall, id, StartOf("Unary"));
           link.Write(FrameType::kHalfClose, id);
           AwaitTrailers(link);
         }
       }},
      {"CallsCancelledAtOnce",
       [](RawLink& link) {
         for (uint64_t id = 2; id < 2000; ++id) {
           link.Write(FrameType::kCall, id, StartOf("Unary"));
           link.Write(FrameType::kMessage, id, "", kWhole);
           link.Write(FrameType::kCancel, id);
           while (link.Read().has_value()) {
           }
         }
       }},
      {"ShrinkingTheSegment",
       [](RawLink& link) {
         EXPECT_NE(ftruncate(link.memfd(), 0), 0);
         EXPECT_NE(ftruncate(link.memfd(), 1 << 30), 0);
         EXPECT_NE(fcntl(link.memfd(), F_ADD_SEALS, F_SEAL_WRITE), 0);
         // Holes are zeros.
         EXPECT_EQ(
             fallocate(link.memfd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                       0, static_cast<off_t>(link.segment_bytes())),
             0);
       }},
  };
}

std::vector<Transport> Ways() {
  return {Transport::kShmInline, Transport::kShmUniversal};
}

class HostileClientTest
    : public ::testing::TestWithParam<std::tuple<Transport, Attack>> {
 protected:
  VictimServer& victim() { return Victim(std::get<0>(GetParam())); }

  // A link with a call, number 1, whose handler waits.
  RawLink NewLinkWithCall() {
    key_ = absl::StrCat(
        ::testing::UnitTest::GetInstance()->current_test_info()->name());
    RawLink link = victim().NewLink();
    EXPECT_TRUE(
        link.Write(FrameType::kCall, 1,
                   StartOf("Bidi", MakeScript(key_, {WaitForCancellation()}))));
    EXPECT_NE(victim().server().AwaitEvent(key_, "started"), 0);
    return link;
  }

  std::string key_;
};

using FatalAttack = HostileClientTest;
using FutileAttack = HostileClientTest;

TEST_P(FatalAttack, EndsItsOwnLinkAndNothingElse) {
  RawLink link = NewLinkWithCall();
  std::get<1>(GetParam()).commit(link);
  ExpectHangUp(link.socket());
  EXPECT_NE(victim().server().AwaitEvent(key_, "cancelled"), 0);
  victim().ExpectUnharmed();
}

TEST_P(FutileAttack, IsSurvived) {
  {
    RawLink link = NewLinkWithCall();
    std::get<1>(GetParam()).commit(link);
    EXPECT_THAT(victim().CallHonestly(), IsOk());
  }
  EXPECT_NE(victim().server().AwaitEvent(key_, "cancelled"), 0);
  victim().ExpectUnharmed();
}

std::string NameOf(
    const ::testing::TestParamInfo<HostileClientTest::ParamType>& info) {
  return absl::StrCat(std::get<1>(info.param).name, "_",
                      TransportName(std::get<0>(info.param)));
}

INSTANTIATE_TEST_SUITE_P(
    Each, FatalAttack,
    ::testing::Combine(::testing::ValuesIn(Ways()),
                       ::testing::ValuesIn(FatalAttacks())),
    NameOf);
INSTANTIATE_TEST_SUITE_P(
    Each, FutileAttack,
    ::testing::Combine(::testing::ValuesIn(Ways()),
                       ::testing::ValuesIn(FutileAttacks())),
    NameOf);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
