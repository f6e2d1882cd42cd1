// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/malformed/raw_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace grpc_shm {
namespace testing {
namespace {

constexpr uint32_t kMagic = 0x6d687367;  // "gshm"
constexpr uint32_t kVersion = 1;
constexpr size_t kMaxDescriptors = 16;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

size_t PageSize() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

[[noreturn]] void Die(const char* what) {
  perror(what);
  abort();
}

sockaddr_un Address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

std::byte* Map(int memfd, size_t bytes) {
  void* const at =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
  if (at == MAP_FAILED) Die("mmap");
  return static_cast<std::byte*>(at);
}

}  // namespace

bool SendRaw(int socket, absl::string_view bytes,
             const std::vector<int>& descriptors) {
  union {
    char bytes[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
    cmsghdr alignment;
  } control = {};
  iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    const size_t payload = descriptors.size() * sizeof(int);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(payload);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(payload);
    std::memcpy(CMSG_DATA(header), descriptors.data(), payload);
  }
  return sendmsg(socket, &message, MSG_NOSIGNAL) >= 0;
}

absl::optional<RawPacket> ReceiveRaw(int socket) {
  union {
    char bytes[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
    cmsghdr alignment;
  } control = {};
  RawPacket packet;
  packet.bytes.resize(size_t{64} << 10);
  iovec part = {&packet.bytes[0], packet.bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  ssize_t bytes = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (bytes < 0 && errno == ECONNRESET) {
    // Told before what there is to read: the peer has not read everything.
    bytes = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  }
  if (bytes <= 0) return absl::nullopt;
  packet.bytes.resize(static_cast<size_t>(bytes));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(fd), sizeof(fd));
      packet.descriptors.emplace_back(fd);
    }
  }
  return packet;
}

UniqueFd ConnectRaw(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd.valid()) Die("socket");
  const sockaddr_un address = Address(path);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) != 0) {
    return UniqueFd();
  }
  return fd;
}

UniqueFd ListenRaw(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const sockaddr_un address = Address(path);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
           sizeof(address)) != 0 ||
      listen(fd.get(), 100) != 0) {
    Die(path.c_str());
  }
  return fd;
}

UniqueFd AcceptRaw(int listening) {
  UniqueFd fd(accept4(listening, nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd.valid()) Die("accept");
  return fd;
}

void AwaitHangUp(int socket) {
  pollfd poll_fd = {socket, POLLRDHUP, 0};
  while (poll(&poll_fd, 1, -1) < 1) {
  }
}

wire::Hello GoodHello() {
  wire::Hello hello;
  hello.set_magic(kMagic);
  hello.set_version(kVersion);
  hello.set_ring_bytes(64 << 10);
  hello.set_window_bytes(64 << 10);
  return hello;
}

UniqueFd MakeRawSegment(size_t ring_bytes) {
  UniqueFd memfd(memfd_create("grpc-shm-raw", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const size_t bytes = SegmentBytes(PageSize(), ring_bytes);
  if (ftruncate(memfd.get(), static_cast<off_t>(bytes)) != 0) Die("ftruncate");
  std::byte* const first_page = Map(memfd.get(), PageSize());
  LinkHeader& header = (new (first_page) LinkControl)->header;
  header.version = kLinkLayoutVersion;
  header.header_bytes = static_cast<uint32_t>(PageSize());
  header.ring_bytes = ring_bytes;
  header.segment_bytes = bytes;
  header.magic = kLinkMagic;
  munmap(first_page, PageSize());
  if (fcntl(memfd.get(), F_ADD_SEALS, kSeals) != 0) Die("sealing");
  return memfd;
}

UniqueFd MakeRawDoorbell() {
  UniqueFd doorbell(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!doorbell.valid()) Die("eventfd");
  return doorbell;
}

wire::Answer GoodWelcome(size_t ring_bytes) {
  wire::Answer answer;
  answer.set_magic(kMagic);
  answer.set_version(kVersion);
  answer.mutable_welcome()->set_header_bytes(PageSize());
  answer.mutable_welcome()->set_ring_bytes(ring_bytes);
  answer.mutable_welcome()->set_window_bytes(64 << 10);
  return answer;
}

absl::optional<RawLink> RawLink::ReceiveWelcome(UniqueFd socket) {
  absl::optional<RawPacket> packet = ReceiveRaw(socket.get());
  wire::Answer answer;
  if (!packet.has_value() || !answer.ParseFromString(packet->bytes) ||
      !answer.has_welcome() || packet->descriptors.size() != 3) {
    return absl::nullopt;
  }
  const size_t ring_bytes = answer.welcome().ring_bytes();
  return RawLink(
      Side::kClient, std::move(socket), std::move(packet->descriptors[0]),
      std::move(packet->descriptors[2]), std::move(packet->descriptors[1]),
      ring_bytes, answer.welcome().window_bytes());
}

absl::optional<RawLink> RawLink::Welcome(UniqueFd socket, size_t ring_bytes) {
  if (!ReceiveRaw(socket.get()).has_value()) return absl::nullopt;
  UniqueFd memfd = MakeRawSegment(ring_bytes);
  UniqueFd own_doorbell = MakeRawDoorbell();
  UniqueFd peer_doorbell = MakeRawDoorbell();
  const wire::Answer answer = GoodWelcome(ring_bytes);
  if (!SendRaw(socket.get(), answer.SerializeAsString(),
               {memfd.get(), own_doorbell.get(), peer_doorbell.get()})) {
    return absl::nullopt;
  }
  return RawLink(Side::kServer, std::move(socket), std::move(memfd),
                 std::move(own_doorbell), std::move(peer_doorbell), ring_bytes,
                 answer.welcome().window_bytes());
}

RawLink::RawLink(Side side, UniqueFd socket, UniqueFd memfd,
                 UniqueFd own_doorbell, UniqueFd peer_doorbell,
                 size_t ring_bytes, uint32_t window_bytes)
    : side_(side),
      socket_(std::move(socket)),
      memfd_(std::move(memfd)),
      own_doorbell_(std::move(own_doorbell)),
      peer_doorbell_(std::move(peer_doorbell)),
      segment_(Map(memfd_.get(), SegmentBytes(PageSize(), ring_bytes))),
      control_(std::launder(reinterpret_cast<LinkControl*>(segment_))),
      ring_bytes_(ring_bytes),
      window_bytes_(window_bytes) {}

RawLink::RawLink(RawLink&& other) noexcept
    : side_(other.side_),
      socket_(std::move(other.socket_)),
      memfd_(std::move(other.memfd_)),
      own_doorbell_(std::move(other.own_doorbell_)),
      peer_doorbell_(std::move(other.peer_doorbell_)),
      segment_(std::exchange(other.segment_, nullptr)),
      control_(other.control_),
      ring_bytes_(other.ring_bytes_),
      window_bytes_(other.window_bytes_),
      tail_(other.tail_),
      head_(other.head_) {}

RawLink::~RawLink() {
  if (segment_ != nullptr) munmap(segment_, segment_bytes());
}

size_t RawLink::segment_bytes() const {
  return SegmentBytes(PageSize(), ring_bytes_);
}

RingControl& RawLink::out() const {
  return side_ == Side::kClient ? control_->client_to_server
                                : control_->server_to_client;
}
RingControl& RawLink::in() const {
  return side_ == Side::kClient ? control_->server_to_client
                                : control_->client_to_server;
}
std::byte* RawLink::out_data() const {
  return segment_ + (side_ == Side::kClient
                         ? ClientToServerDataOffset(PageSize())
                         : ServerToClientDataOffset(PageSize(), ring_bytes_));
}
std::byte* RawLink::in_data() const {
  return segment_ + (side_ == Side::kServer
                         ? ClientToServerDataOffset(PageSize())
                         : ServerToClientDataOffset(PageSize(), ring_bytes_));
}

void RawLink::Put(const RecordHeader& header, absl::string_view payload) {
  std::string record(reinterpret_cast<const char*>(&header), sizeof(header));
  record.append(payload.data(), payload.size());
  for (size_t i = 0; i < record.size(); ++i) {
    out_data()[(tail_ + i) % ring_bytes_] = static_cast<std::byte>(record[i]);
  }
  tail_ += RecordBytes(payload.size());
}

void RawLink::Publish() {
  out().tail.store(tail_, std::memory_order_seq_cst);
  if (out().consumer_armed.exchange(0) != 0) RingDoorbell();
}

bool RawLink::HasSpace(size_t payload_bytes) const {
  return tail_ + RecordBytes(payload_bytes) - out().head.load() <= ring_bytes_;
}

bool RawLink::Write(FrameType type, uint64_t call_id, absl::string_view payload,
                    uint8_t flags) {
  while (!HasSpace(payload.size())) {
    if (HungUp()) return false;
    sched_yield();
  }
  RecordHeader header{};
  header.length = static_cast<uint32_t>(payload.size());
  header.type = static_cast<uint8_t>(type);
  header.flags = flags;
  header.call_id = call_id;
  Put(header, payload);
  Publish();
  return true;
}

absl::optional<RawLink::Frame> RawLink::Read() {
  if (in().tail.load(std::memory_order_acquire) == head_) return absl::nullopt;
  Frame frame;
  const auto byte = [this](uint64_t at) {
    return static_cast<char>(in_data()[(head_ + at) % ring_bytes_]);
  };
  std::string header;
  for (size_t i = 0; i < sizeof(RecordHeader); ++i) header += byte(i);
  std::memcpy(&frame.header, header.data(), sizeof(frame.header));
  for (size_t i = 0; i < frame.header.length; ++i) {
    frame.payload += byte(sizeof(RecordHeader) + i);
  }
  head_ += RecordBytes(frame.header.length);
  in().head.store(head_, std::memory_order_seq_cst);
  if (in().producer_armed.exchange(0) != 0) RingDoorbell();
  return frame;
}

absl::optional<RawLink::Frame> RawLink::AwaitFrame() {
  for (;;) {
    const bool last = HungUp();
    absl::optional<Frame> frame = Read();
    if (frame.has_value() || last) return frame;
    sched_yield();
  }
}

void RawLink::RingDoorbell() {
  const uint64_t zero = 0;
  (void)!write(peer_doorbell_.get(), &zero, sizeof(zero));
}

bool RawLink::HungUp() const {
  pollfd poll_fd = {socket_.get(), POLLRDHUP, 0};
  return poll(&poll_fd, 1, 0) > 0;
}

std::string FirstFragment(uint64_t total, absl::string_view bytes) {
  std::string payload(reinterpret_cast<const char*>(&total),
                      kMessageLengthBytes);
  payload.append(bytes.data(), bytes.size());
  return payload;
}

}  // namespace testing
}  // namespace grpc_shm
