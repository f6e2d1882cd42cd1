// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_CALL_OFFER_BOARD_LAYOUT_H_
#define GRPC_SHM_TRANSPORT_CALL_OFFER_BOARD_LAYOUT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace grpc_shm {

// The bytes of an offer board: one per channel to a mailbox, made by the caller
// and shared with the servers that it has links to.
//
//        0 +--------------------------------------------------+
//          | slots: 8192 words of 8 bytes, one for each call   |
//          |   that waits:  number (48 bits) | state (16 bits) |
//   64 KiB +--------------------------------------------------+
//          | open: 65536 bits, one for each link               |
//   72 KiB +--------------------------------------------------+
//
// state: 0 nobody's; 1 to 65534 the link of the server that has claimed the
// call; 65535 waiting.
//
// A word goes: waiting (by the caller) -> a link (by that link's server) or
// nobody's (by the caller, who gave up), each by compare-and-swap: so a call
// runs once at most. If the link is closed: a link -> waiting (by its server,
// that has seen so) or nobody's (by the caller, who fails the call). The caller
// then uses the slot again, with another number.
//
// Memory ordering: all sequentially consistent. A server that has claimed a
// call then looks whether its link is open; a caller that has closed a link
// then looks what its server had claimed: so one of them sees the other.
inline constexpr uint32_t kOfferSlots = 8192;
inline constexpr uint32_t kOfferNumberBits = 48;
inline constexpr uint16_t kOfferNobodys = 0;
inline constexpr uint16_t kOfferWaiting = 0xffff;
inline constexpr uint32_t kOfferLinks = 0x10000;

struct OfferBoardLayout {
  std::atomic<uint64_t> slots[kOfferSlots];
  std::atomic<uint64_t> open[kOfferLinks / 64];
};

static_assert(std::atomic<uint64_t>::is_always_lock_free);
static_assert(sizeof(std::atomic<uint64_t>) == 8);
static_assert(offsetof(OfferBoardLayout, open) == 64 << 10);
static_assert(sizeof(OfferBoardLayout) == 72 << 10);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_CALL_OFFER_BOARD_LAYOUT_H_
