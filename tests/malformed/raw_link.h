// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_MALFORMED_RAW_LINK_H_
#define GRPC_SHM_TESTS_MALFORMED_RAW_LINK_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "proto/wire.pb.h"
#include "transport/base/unique_fd.h"
#include "transport/call/frame.h"
#include "transport/link/link_layout.h"
#include "transport/ring/ring_layout.h"

namespace grpc_shm {
namespace testing {

// A peer made by hand, which keeps the protocol or breaks it as a test likes.
// Knows the layout headers and the wire protos, and nothing of the code under
// test, whose checks would be in its way.

// A packet of a control socket.
struct RawPacket {
  std::string bytes;
  std::vector<UniqueFd> descriptors;
};

// False: the peer has hung up.
bool SendRaw(int socket, absl::string_view bytes,
             const std::vector<int>& descriptors = {});
// Waits for one; nothing when the peer hangs up instead.
absl::optional<RawPacket> ReceiveRaw(int socket);

// Connects to a server's socket; an invalid descriptor if nobody listens.
UniqueFd ConnectRaw(const std::string& path);
// Listens at `path`, in place of a server.
UniqueFd ListenRaw(const std::string& path);
UniqueFd AcceptRaw(int listening);

// Returns when the peer has hung up, whatever it sends before.
void AwaitHangUp(int socket);

wire::Hello GoodHello();

// A new segment as a server makes it, with a header that is right.
UniqueFd MakeRawSegment(size_t ring_bytes);
UniqueFd MakeRawDoorbell();
wire::Answer GoodWelcome(size_t ring_bytes);

// One end of a link. Move-only; hangs up when it is destroyed.
class RawLink {
 public:
  enum class Side { kClient, kServer };

  // Client: after a Hello was sent over `socket`; nothing if the answer is no
  // Welcome.
  static absl::optional<RawLink> ReceiveWelcome(UniqueFd socket);
  // Server: reads the Hello that waits, or will, and answers it.
  static absl::optional<RawLink> Welcome(UniqueFd socket,
                                         size_t ring_bytes = size_t{64} << 10);

  RawLink(RawLink&& other) noexcept;
  RawLink& operator=(RawLink&&) = delete;
  ~RawLink();

  // ---- Keeping the rules

  // Copies a record to where the next one belongs, whatever there is; nobody
  // sees it before Publish.
  void Put(const RecordHeader& header, absl::string_view payload);
  // Publishes, and rings if the peer sleeps.
  void Publish();
  // Whether the peer has freed space for such a record.
  bool HasSpace(size_t payload_bytes) const;
  // Waits for space, writes a frame, publishes. False: the peer has hung up.
  bool Write(FrameType type, uint64_t call_id, absl::string_view payload = "",
             uint8_t flags = 0);
  // The next frame from the peer, if there is one.
  struct Frame {
    RecordHeader header;
    std::string payload;
  };
  absl::optional<Frame> Read();
  // Waits for it; nothing when the peer hangs up instead.
  absl::optional<Frame> AwaitFrame();

  // ---- Breaking them

  LinkControl& control() const { return *control_; }
  // The ring that this end writes, and the one that it reads.
  RingControl& out() const;
  RingControl& in() const;
  std::byte* out_data() const;
  std::byte* in_data() const;
  size_t ring_bytes() const { return ring_bytes_; }
  uint32_t window_bytes() const { return window_bytes_; }
  // Bytes ever put; the honest tail.
  uint64_t tail() const { return tail_; }
  uint64_t head() const { return head_; }
  // All of the shared memory.
  std::byte* segment() const { return segment_; }
  size_t segment_bytes() const;
  int socket() const { return socket_.get(); }
  int memfd() const { return memfd_.get(); }
  int own_doorbell() const { return own_doorbell_.get(); }
  int peer_doorbell() const { return peer_doorbell_.get(); }

  void RingDoorbell();
  bool HungUp() const;

 private:
  RawLink(Side side, UniqueFd socket, UniqueFd memfd, UniqueFd own_doorbell,
          UniqueFd peer_doorbell, size_t ring_bytes, uint32_t window_bytes);

  Side side_;
  UniqueFd socket_;
  UniqueFd memfd_;
  UniqueFd own_doorbell_;
  UniqueFd peer_doorbell_;
  std::byte* segment_;
  LinkControl* control_;
  size_t ring_bytes_;
  uint32_t window_bytes_;
  uint64_t tail_ = 0;
  uint64_t head_ = 0;
};

// A first fragment that announces a message of `total` bytes.
std::string FirstFragment(uint64_t total, absl::string_view bytes);

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_MALFORMED_RAW_LINK_H_
