// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Any first packet with any descriptors, to either side of a hand-shake. The
// other side gives a link that can be used, or a reason; and it holds nothing
// afterwards.

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/fuzz/fuzz_input.pb.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/malformed/raw_link.h"
#include "tests/unit/link/socket_pair.h"
#include "transport/link/handshake.h"
#include "transport/link/packet.h"

namespace grpc_shm {
namespace fuzz {
namespace {

constexpr size_t kMaxMemfdBytes = size_t{1} << 20;

void LayOver(const std::string& start, int memfd) {
  const ssize_t written =
      pwrite(memfd, start.data(), std::min(start.size(), size_t{4096}), 0);
  (void)written;  // a sealed or empty memfd refuses
}

UniqueFd MakeDescriptor(const Descriptor& descriptor) {
  switch (descriptor.kind()) {
    case Descriptor::SEGMENT: {
      // A ring of a page or more, so that header and data are apart.
      size_t ring_bytes = 4096;
      while (ring_bytes < std::min<size_t>(descriptor.bytes(), kMaxMemfdBytes))
        ring_bytes *= 2;
      UniqueFd memfd = testing::MakeRawSegment(ring_bytes);
      LayOver(descriptor.start(), memfd.get());
      return memfd;
    }
    case Descriptor::MEMFD: {
      UniqueFd memfd(memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING));
      FUZZ_CHECK(ftruncate(memfd.get(),
                           static_cast<off_t>(std::min<size_t>(
                               descriptor.bytes(), kMaxMemfdBytes))) == 0);
      LayOver(descriptor.start(), memfd.get());
      (void)fcntl(memfd.get(), F_ADD_SEALS,
                  static_cast<int>(descriptor.seals() & 0x1f));
      return memfd;
    }
    case Descriptor::PIPE: {
      int ends[2];
      FUZZ_CHECK(pipe2(ends, O_CLOEXEC) == 0);
      UniqueFd reading(ends[0]);
      return UniqueFd(ends[1]);
    }
    case Descriptor::SOCKET:
      return UniqueFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    case Descriptor::NULL_DEVICE:
      return UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC));
    case Descriptor::EPOLL:
      return UniqueFd(epoll_create1(EPOLL_CLOEXEC));
    default:
      return testing::MakeRawDoorbell();
  }
}

std::string BytesOf(const HandshakeInput& input) {
  switch (input.packet_case()) {
    case HandshakeInput::kHello:
      return input.hello().SerializeAsString();
    case HandshakeInput::kAnswer:
      return input.answer().SerializeAsString();
    default:
      return input.bytes();
  }
}

// Whatever the peer made, each byte of it can be read and written.
void Use(Link* link, const LinkOptions& options) {
  FUZZ_CHECK(link->ring_bytes() <= options.max_ring_bytes);
  FUZZ_CHECK(link->window_bytes() <= options.max_window_bytes);
  FUZZ_CHECK(link->window_bytes() > 0);
  RingProducer& producer = link->producer();
  for (int i = 0; i < 3; ++i) {
    std::byte* const payload = producer.TryReserve(producer.max_payload());
    if (payload == nullptr) break;  // the ring was not empty
    std::fill_n(payload, producer.max_payload(), std::byte{1});
    ::grpc_shm::RecordHeader header{};
    header.length = static_cast<uint32_t>(producer.max_payload());
    producer.Commit(header);
    producer.Publish();
  }
  link->RingDoorbell();
  for (int i = 0; i < 100; ++i) {
    ::grpc_shm::RecordHeader header;
    const std::byte* payload;
    if (link->consumer().Peek(&header, &payload) !=
        RingConsumer::Next::kRecord) {
      break;
    }
    uint64_t sum = 0;
    for (size_t at = 0; at < header.length; ++at)
      sum += std::to_integer<uint64_t>(payload[at]);
    FUZZ_CHECK(sum <= uint64_t{255} * header.length);
    link->consumer().Pop();
  }
}

// Descriptors are numbered from the lowest that is free.
int LowestFree() {
  const UniqueFd lowest(dup(0));
  return lowest.get();
}

void Run(const HandshakeInput& input) {
  const int before = LowestFree();
  {
    testing::SocketPair sockets;
    {
      std::vector<UniqueFd> descriptors;
      std::vector<int> raw;
      for (const Descriptor& each : input.descriptors()) {
        if (descriptors.size() == 8) break;
        descriptors.push_back(MakeDescriptor(each));
        raw.push_back(descriptors.back().get());
      }
      testing::SendRaw(sockets.peer.get(), BytesOf(input), raw);
    }
    if (input.hang_up()) sockets.peer.reset();
    LinkOptions options;
    options.max_ring_bytes = kMaxMemfdBytes;
    absl::StatusOr<std::unique_ptr<Link>> link =
        input.to_client()
            ? ReceiveWelcome(std::move(sockets.ours), "fuzz", options)
            : AnswerHello(std::move(sockets.ours), "fuzz", options);
    if (link.ok()) {
      Use(link->get(), options);
    } else {
      FUZZ_CHECK(!link.status().message().empty());
    }
  }
  FUZZ_CHECK(LowestFree() == before);
}

}  // namespace
}  // namespace fuzz
}  // namespace grpc_shm

GRPC_SHM_FUZZ_TARGET(grpc_shm::fuzz::HandshakeInput, grpc_shm::fuzz::Run)
