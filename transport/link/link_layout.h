// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_LINK_LAYOUT_H_
#define GRPC_SHM_TRANSPORT_LINK_LINK_LAYOUT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "transport/base/cache_line.h"
#include "transport/ring/ring_layout.h"

// Every byte of a link's segment, and nothing that acts on it. Whoever changes
// anything here or in ring_layout.h increments kLinkLayoutVersion (and the
// layout test reminds them).
//
//              0                                        page size
//              +------------+-------------------+-------------------+-----+
//            0 | LinkHeader | client_to_server  | server_to_client  |  0  |
//              |  128 bytes | RingControl, 512  | RingControl, 512  |     |
//              +------------+-------------------+-------------------+-----+
//    page size | data of client_to_server, ring_bytes                     |
//              +----------------------------------------------------------+
//   page size  | data of server_to_client, ring_bytes                     |
// + ring_bytes |                                                          |
//              +----------------------------------------------------------+
//
// LinkHeader:
//
//      0                               8               12
//      +-------------------------------+---------------+---------------+
//    0 | magic                         | version       | header_bytes  |
//      +-------------------------------+---------------+---------------+
//   16 | ring_bytes                    | segment_bytes                 |
//      +-------------------------------+-------------------------------+
//   32 | padding, 0, up to 128                                         |
//      +---------------------------------------------------------------+
//
// Publication rule: the server fills a new segment, all zero, and stores magic
// last, with release; then it passes the descriptor on. Nobody writes to the
// header after that. The client loads magic with acquire and each other field
// once, and goes on only if they say what the hand-shake said; after that it
// uses its own copies.
//
// header_bytes is one page, so that each ring's data can be mapped twice in a
// row. Both processes run on one machine, so on one page size.

namespace grpc_shm {

// "gshmlink", little-endian.
inline constexpr uint64_t kLinkMagic = 0x6b6e696c6d687367;
inline constexpr uint32_t kLinkLayoutVersion = 1;

struct alignas(kCacheLineStride) LinkHeader {
  std::atomic<uint64_t> magic{0};
  std::atomic<uint32_t> version{0};
  std::atomic<uint32_t> header_bytes{0};
  std::atomic<uint64_t> ring_bytes{0};
  std::atomic<uint64_t> segment_bytes{0};
};

// The part of the first page that is used.
struct LinkControl {
  LinkHeader header;
  RingControl client_to_server;
  RingControl server_to_client;
};

// Sizes and offsets in bytes; `header_bytes` is the page size, `ring_bytes` at
// most kMaxRingCapacity.
constexpr size_t ClientToServerDataOffset(size_t header_bytes) {
  return header_bytes;
}
constexpr size_t ServerToClientDataOffset(size_t header_bytes,
                                          size_t ring_bytes) {
  return header_bytes + ring_bytes;
}
constexpr size_t SegmentBytes(size_t header_bytes, size_t ring_bytes) {
  return header_bytes + 2 * ring_bytes;
}

static_assert(sizeof(LinkHeader) == kCacheLineStride);
static_assert(offsetof(LinkHeader, magic) == 0);
static_assert(offsetof(LinkHeader, version) == 8);
static_assert(offsetof(LinkHeader, header_bytes) == 12);
static_assert(offsetof(LinkHeader, ring_bytes) == 16);
static_assert(offsetof(LinkHeader, segment_bytes) == 24);
static_assert(offsetof(LinkControl, header) == 0);
static_assert(offsetof(LinkControl, client_to_server) == 128);
static_assert(offsetof(LinkControl, server_to_client) == 640);
static_assert(sizeof(LinkControl) == 1152);
static_assert(sizeof(LinkControl) <= 4096);  // the smallest page
static_assert(std::is_standard_layout_v<LinkControl>);
static_assert(std::is_trivially_destructible_v<LinkControl>);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_LINK_LAYOUT_H_
