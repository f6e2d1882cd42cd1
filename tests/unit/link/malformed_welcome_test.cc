// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A server may send a client anything. One corruption per test, of a Welcome
// that is otherwise right; after each, the client holds what it held before.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/link/process_resources.h"
#include "tests/unit/link/socket_pair.h"
#include "transport/link/doorbell.h"
#include "transport/link/handshake.h"
#include "transport/link/handshake_messages.h"
#include "transport/link/packet.h"
#include "transport/memory/mapping.h"
#include "transport/memory/sealed_memfd.h"

namespace grpc_shm {
namespace {

using ::testing::HasSubstr;
using testing::ProcessResources;
using testing::SocketPair;

constexpr size_t kRingBytes = size_t{64} << 10;
constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
constexpr absl::StatusCode kPrecondition =
    absl::StatusCode::kFailedPrecondition;

size_t PageSize() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

// A Welcome as a server sends it.
struct WelcomePacket {
  WelcomePacket() {
    answer.set_magic(kHandshakeMagic);
    answer.set_version(kProtocolVersion);
    answer.mutable_welcome()->set_header_bytes(PageSize());
    answer.mutable_welcome()->set_ring_bytes(kRingBytes);
    answer.mutable_welcome()->set_window_bytes(65536);
    UniqueFd memfd;
    absl::StatusOr<LinkSegment> segment =
        LinkSegment::Create(kRingBytes, &memfd);
    EXPECT_TRUE(segment.ok()) << segment.status();
    descriptors.push_back(std::move(memfd));
    for (int i = 0; i < 2; ++i) {
      absl::StatusOr<UniqueFd> doorbell = CreateDoorbell();
      EXPECT_TRUE(doorbell.ok()) << doorbell.status();
      descriptors.push_back(*std::move(doorbell));
    }
  }

  wire::Welcome& welcome() { return *answer.mutable_welcome(); }

  // Lets `spoil` change the first page of the segment.
  void SpoilSegment(const std::function<void(LinkControl&)>& spoil) {
    absl::StatusOr<Mapping> mapping =
        Mapping::MapShared(descriptors[kWelcomeSegment].get(), 0, PageSize());
    ASSERT_TRUE(mapping.ok()) << mapping.status();
    spoil(*reinterpret_cast<LinkControl*>(mapping->data()));
  }

  void SendTo(int socket) {
    std::vector<int> raw;
    for (const UniqueFd& fd : descriptors) raw.push_back(fd.get());
    EXPECT_TRUE(SendPacket(socket, answer.SerializeAsString(), raw).ok());
  }

  wire::Answer answer;
  std::vector<UniqueFd> descriptors;
};

using Spoil = std::function<void(WelcomePacket&)>;

// What a client makes of a spoilt Welcome.
absl::Status StatusOfWelcome(const Spoil& spoil) {
  const ProcessResources before = ProcessResources::Now();
  absl::Status status;
  {
    SocketPair sockets;
    WelcomePacket packet;
    spoil(packet);
    packet.SendTo(sockets.peer.get());
    const ProcessResources sent = ProcessResources::Now();
    status = ReceiveWelcome(std::move(sockets.ours), "greeter", LinkOptions())
                 .status();
    EXPECT_EQ(ProcessResources::Now().descriptors, sent.descriptors - 1)
        << "the socket, and it alone, was to be closed";
  }
  EXPECT_EQ(ProcessResources::Now(), before);
  if (!status.ok()) {
    EXPECT_THAT(std::string(status.message()), HasSubstr("shm:greeter: "));
  }
  return status;
}

absl::StatusCode CodeOfWelcome(const Spoil& spoil) {
  return StatusOfWelcome(spoil).code();
}

TEST(MalformedWelcome, AnIntactOneIsAccepted) {
  EXPECT_EQ(CodeOfWelcome([](WelcomePacket&) {}), absl::StatusCode::kOk);
}

TEST(MalformedWelcome, GarbageIsRefused) {
  for (const std::string& bytes :
       {std::string(), std::string("x"), std::string(4096, '\xff'),
        std::string(100, '\0')}) {
    SocketPair sockets;
    ASSERT_TRUE(SendPacket(sockets.peer.get(), bytes).ok());
    EXPECT_EQ(ReceiveWelcome(std::move(sockets.ours), "greeter", LinkOptions())
                  .status()
                  .code(),
              kInvalid)
        << bytes;
  }
}

TEST(MalformedWelcome, AnotherMagicIsRefused) {
  EXPECT_EQ(CodeOfWelcome([](WelcomePacket& p) { p.answer.set_magic(1); }),
            kInvalid);
}

TEST(MalformedWelcome, AnotherVersionIsRefused) {
  const absl::Status status =
      StatusOfWelcome([](WelcomePacket& p) { p.answer.set_version(9); });
  EXPECT_EQ(status.code(), kPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("server version 9"));
}

TEST(MalformedWelcome, AnAnswerWithoutAResultIsRefused) {
  EXPECT_EQ(CodeOfWelcome([](WelcomePacket& p) { p.answer.clear_result(); }),
            kInvalid);
}

TEST(MalformedWelcome, NoDescriptorsAreTooFew) {
  EXPECT_EQ(CodeOfWelcome([](WelcomePacket& p) { p.descriptors.clear(); }),
            kInvalid);
}

TEST(MalformedWelcome, TwoDescriptorsAreTooFew) {
  EXPECT_EQ(CodeOfWelcome([](WelcomePacket& p) { p.descriptors.pop_back(); }),
            kInvalid);
}

TEST(MalformedWelcome, FourDescriptorsAreTooMany) {
  EXPECT_EQ(CodeOfWelcome([](WelcomePacket& p) {
              p.descriptors.push_back(*CreateDoorbell());
            }),
            kInvalid);
}

TEST(MalformedWelcome, DescriptorsInAnotherOrderAreRefused) {
  EXPECT_EQ(CodeOfWelcome([](WelcomePacket& p) {
              std::swap(p.descriptors[0], p.descriptors[1]);
            }),
            kInvalid);
}

// A memfd of the right size with `seals` alone.
UniqueFd MemfdSealedBy(int seals) {
  UniqueFd memfd(
      memfd_create("grpc-shm-link", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const size_t bytes = SegmentBytes(PageSize(), kRingBytes);
  EXPECT_EQ(ftruncate(memfd.get(), static_cast<off_t>(bytes)), 0);
  EXPECT_EQ(fcntl(memfd.get(), F_ADD_SEALS, seals), 0);
  return memfd;
}

TEST(MalformedWelcome, ASegmentWithoutEverySealIsRefused) {
  constexpr int kAll = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  for (int seals : {0, kAll & ~F_SEAL_SHRINK, kAll & ~F_SEAL_GROW,
                    kAll & ~F_SEAL_SEAL, kAll | F_SEAL_WRITE}) {
    EXPECT_EQ(CodeOfWelcome([seals](WelcomePacket& p) {
                p.descriptors[kWelcomeSegment] = MemfdSealedBy(seals);
              }),
              kPrecondition)
        << seals;
  }
}

TEST(MalformedWelcome, ASegmentOfAnotherSizeIsRefused) {
  const size_t agreed = SegmentBytes(PageSize(), kRingBytes);
  for (size_t bytes : {PageSize(), agreed - PageSize(), agreed + PageSize()}) {
    EXPECT_EQ(CodeOfWelcome([bytes](WelcomePacket& p) {
                absl::StatusOr<UniqueFd> memfd =
                    CreateSealedMemfd("grpc-shm-link", bytes);
                ASSERT_TRUE(memfd.ok()) << memfd.status();
                p.descriptors[kWelcomeSegment] = *std::move(memfd);
              }),
              kInvalid)
        << bytes;
  }
}

TEST(MalformedWelcome, AFileIsNoSegment) {
  EXPECT_EQ(CodeOfWelcome([](WelcomePacket& p) {
              p.descriptors[kWelcomeSegment] =
                  UniqueFd(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
            }),
            kInvalid);
}

TEST(MalformedWelcome, APipeIsNoDoorbell) {
  for (size_t which : {kWelcomeServerDoorbell, kWelcomeClientDoorbell}) {
    EXPECT_EQ(CodeOfWelcome([which](WelcomePacket& p) {
                int ends[2];
                ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
                UniqueFd reading(ends[0]);
                p.descriptors[which] = UniqueFd(ends[1]);
              }),
              kInvalid)
        << which;
  }
}

TEST(MalformedWelcome, ImpossibleRingSizesAreRefused) {
  for (uint64_t bytes :
       {uint64_t{0}, uint64_t{1}, uint64_t{2048}, uint64_t{kRingBytes - 1},
        uint64_t{kRingBytes + 4096}, uint64_t{3 * kRingBytes}}) {
    EXPECT_EQ(CodeOfWelcome([bytes](WelcomePacket& p) {
                p.welcome().set_ring_bytes(bytes);
              }),
              kInvalid)
        << bytes;
  }
}

TEST(MalformedWelcome, ImpossibleHeaderSizesAreRefused) {
  for (uint64_t bytes :
       {uint64_t{0}, uint64_t{128}, uint64_t{1} << 23, uint64_t{UINT64_MAX}}) {
    EXPECT_EQ(CodeOfWelcome([bytes](WelcomePacket& p) {
                p.welcome().set_header_bytes(bytes);
              }),
              kInvalid)
        << bytes;
  }
}

TEST(MalformedWelcome, RingsBeyondTheClientsLimitsAreRefused) {
  for (uint64_t bytes :
       {uint64_t{128} << 20, uint64_t{1} << 62, uint64_t{UINT64_MAX}}) {
    EXPECT_EQ(CodeOfWelcome([bytes](WelcomePacket& p) {
                p.welcome().set_ring_bytes(bytes);
              }),
              kPrecondition)
        << bytes;
  }
}

TEST(MalformedWelcome, WindowsBeyondTheClientsLimitsAreRefused) {
  for (uint32_t bytes : {uint32_t{0}, UINT32_MAX}) {
    EXPECT_EQ(CodeOfWelcome([bytes](WelcomePacket& p) {
                p.welcome().set_window_bytes(bytes);
              }),
              kPrecondition)
        << bytes;
  }
}

TEST(MalformedWelcome, AHeaderWithoutMagicIsRefused) {
  EXPECT_EQ(CodeOfWelcome([](WelcomePacket& p) {
              p.SpoilSegment([](LinkControl& c) { c.header.magic = 0; });
            }),
            kInvalid);
}

TEST(MalformedWelcome, AHeaderOfAnotherLayoutIsRefused) {
  const absl::Status status = StatusOfWelcome([](WelcomePacket& p) {
    p.SpoilSegment([](LinkControl& c) { c.header.version = 99; });
  });
  EXPECT_EQ(status.code(), kPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("layout version 99"));
}

TEST(MalformedWelcome, AHeaderThatContradictsTheWelcomeIsRefused) {
  const std::function<void(LinkControl&)> contradictions[] = {
      [](LinkControl& c) { c.header.header_bytes = 128; },
      [](LinkControl& c) { c.header.ring_bytes = 2 * kRingBytes; },
      [](LinkControl& c) { c.header.segment_bytes = 0; },
  };
  for (const auto& contradiction : contradictions) {
    EXPECT_EQ(CodeOfWelcome([&contradiction](WelcomePacket& p) {
                p.SpoilSegment(contradiction);
              }),
              kInvalid);
  }
}

TEST(MalformedWelcome, IndicesThatLieBreakTheRingsAndNothingElse) {
  SocketPair sockets;
  WelcomePacket packet;
  packet.SpoilSegment([](LinkControl& c) {
    c.client_to_server.head = 16;  // beyond everything ever written
    c.server_to_client.tail = uint64_t{1} << 40;  // beyond the capacity
  });
  packet.SendTo(sockets.peer.get());
  absl::StatusOr<std::unique_ptr<Link>> link =
      ReceiveWelcome(std::move(sockets.ours), "greeter", LinkOptions());
  ASSERT_TRUE(link.ok()) << link.status();
  RecordHeader header;
  const std::byte* payload;
  EXPECT_EQ((*link)->consumer().Peek(&header, &payload),
            RingConsumer::Next::kBroken);
  // The producer looks at the head when its own view has no more room.
  const size_t half = (*link)->producer().max_payload();
  for (int i = 0; i < 3; ++i) {
    if ((*link)->producer().TryReserve(half) == nullptr) break;
    (*link)->producer().Commit({static_cast<uint32_t>(half), 0, 0, 0, 0});
  }
  EXPECT_TRUE((*link)->producer().broken());
}

TEST(MalformedWelcome, ARefusalIsPassedOnWithItsCode) {
  const absl::Status status = StatusOfWelcome([](WelcomePacket& p) {
    p.descriptors.clear();
    p.answer.mutable_refused()->set_code(
        static_cast<int>(absl::StatusCode::kResourceExhausted));
    p.answer.mutable_refused()->set_message("no memory\n\x01");
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr("the server refused the connection: no memory\\n\\x01"));
}

TEST(MalformedWelcome, ARefusalWithoutARealCodeIsStillARefusal) {
  for (int code : {0, 17, -1, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(CodeOfWelcome([code](WelcomePacket& p) {
                p.descriptors.clear();
                p.answer.mutable_refused()->set_code(code);
              }),
              kInvalid)
        << code;
  }
}

TEST(MalformedWelcome, ARefusalsDescriptorsAreClosed) {
  EXPECT_EQ(CodeOfWelcome([](WelcomePacket& p) {
              p.answer.mutable_refused()->set_code(
                  static_cast<int>(absl::StatusCode::kUnavailable));
            }),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace grpc_shm
