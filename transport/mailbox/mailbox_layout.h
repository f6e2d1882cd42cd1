// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_LAYOUT_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_LAYOUT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "transport/base/cache_line.h"
#include "transport/ring/atomics.h"

// Every byte of a mailbox's segment, and nothing that acts on it. Whoever
// changes anything here, in words.h or in geometry.cc increments
// kMailboxLayoutVersion (and the layout test reminds them).
//
//             +-------------------------------------------------------------+
//           0 | MailboxHeader           128, constant                       |
//         128 | queue of messages       256, tail and head, a line each     |
//         384 | queue of free blocks    256                                 |
//         640 | queue of bare blocks    256, free and without memory        |
//         896 | event: messages         128                                 |
//        1024 | event: room             128                                 |
//        1152 | MailboxState            128, what rarely changes            |
//        1280 | participants            1024 words of 8 bytes               |
//        9472 | waiters                 64 words of 8 bytes (rendezvous)    |
//        9984 | padding, up to the next page                                |
//             +-------------------------------------------------------------+
//       12288 | cells of the queue of messages, 8 bytes each                |
//             | cells of the queue of free blocks, as many                  |
//             | cells of the queue of bare blocks, as many (unbounded only) |
//             | entries of the blocks, 64 bytes each                        |
//             | padding, up to the next page                                |
//             +-------------------------------------------------------------+
//             | blocks, block_stride bytes each                             |
//             | padding, up to the next page                                |
//             +-------------------------------------------------------------+
//
// MailboxHeader:
//
//      0                               8               12
//      +-------------------------------+---------------+---------------+
//    0 | magic                         | version       | capacity_kind |
//      +-------------------------------+---------------+---------------+
//   16 | blocks        | page_bytes    | max_message_bytes             |
//      +---------------+---------------+-------------------------------+
//   32 | max_memory_bytes              | segment_bytes                 |
//      +-------------------------------+-------------------------------+
//   48 | pid_namespace                 | time_namespace                |
//      +-------------------------------+-------------------------------+
//   64 | capacity      | padding, 0                                    |
//      +---------------+-----------------------------------------------+
//
// All else follows from these (geometry.h). Publication rule: the creator fills
// a file that has no name yet, all zero, stores magic last, with release, and
// only then gives it a name; so nobody opens a half-made one. Nobody writes to
// the header after that.
//
// A block's entry:
//
//      0                               8
//      +-------------------------------+-------------------------------+
//    0 | state (words.h)               | size of the message           |
//      +---------------+---------------+-------------------------------+
//   16 | sender's pid  | padding       | reserved bytes (unbounded)    |
//      +---------------+---------------+-------------------------------+
//   32 | padding                                                       |
//      +---------------------------------------------------------------+
//
// All but the state belongs to whoever has the block. Reserved bytes: how many
// of the block's first bytes have memory, if nobody has spoilt the entry.
//
// Byte order and atomics are the machine's: all processes run on it.

namespace grpc_shm {

// "gshmmbox", little-endian.
inline constexpr uint64_t kMailboxMagic = 0x786f626d6d687367;
inline constexpr uint32_t kMailboxLayoutVersion = 1;

inline constexpr size_t kMaxParticipants = 1024;
// Receivers that can wait in a rendezvous at one time, and senders.
inline constexpr size_t kRendezvousWaiters = 64;
inline constexpr uint32_t kMaxBlocks = uint32_t{1} << 20;
inline constexpr uint64_t kMaxMailboxMessageBytes = uint64_t{1} << 40;
// So that no sum of sizes and offsets overflows, and every address space has
// room.
inline constexpr uint64_t kMaxSegmentBytes = uint64_t{1} << 44;

struct alignas(kCacheLineStride) MailboxHeader {
  std::atomic<uint64_t> magic{0};
  std::atomic<uint32_t> version{0};
  std::atomic<uint32_t> capacity_kind{0};  // MailboxCapacity::Kind
  std::atomic<uint32_t> blocks{0};
  std::atomic<uint32_t> page_bytes{0};
  std::atomic<uint64_t> max_message_bytes{0};
  std::atomic<uint64_t> max_memory_bytes{0};
  std::atomic<uint64_t> segment_bytes{0};
  std::atomic<uint64_t> pid_namespace{0};   // inodes
  std::atomic<uint64_t> time_namespace{0};  // start times are relative to it
  std::atomic<uint32_t> capacity{0};        // of a bounded one, in messages
};

// See order_queue.h.
template <class Atomics>
struct BasicQueueControl {
  alignas(kCacheLineStride) typename Atomics::template Atomic<uint64_t> tail{0};
  alignas(kCacheLineStride) typename Atomics::template Atomic<uint64_t> head{0};
};

// See eventcount.h.
template <class Atomics>
struct alignas(kCacheLineStride) BasicEventControl {
  typename Atomics::template Atomic<uint64_t> armings{0};
  typename Atomics::template Atomic<uint64_t> quiet{0};
  typename Atomics::template Atomic<uint32_t> sequence{0};
};

template <class Atomics>
struct alignas(64) BasicBlockEntry {
  typename Atomics::template Atomic<uint64_t> state{0};
  uint64_t size = 0;
  uint32_t sender = 0;
  uint32_t padding = 0;
  uint64_t reserved_bytes = 0;
};

struct alignas(kCacheLineStride) MailboxState {
  std::atomic<uint32_t> destroyed{0};
  // How often messages came back: who has seen fewer looks for them.
  std::atomic<uint64_t> returns{0};
  std::atomic<uint64_t> redelivered{0};
  // Rendezvous alone: turns of senders, messages handed over.
  std::atomic<uint64_t> turns{0};
  std::atomic<uint64_t> handed_over{0};
};

using QueueControl = BasicQueueControl<StdAtomics>;
using EventControl = BasicEventControl<StdAtomics>;
using BlockEntry = BasicBlockEntry<StdAtomics>;

struct MailboxControl {
  MailboxHeader header;
  QueueControl messages;
  QueueControl free_blocks;
  QueueControl bare_blocks;
  EventControl message_event;
  EventControl room_event;
  MailboxState state;
  std::atomic<uint64_t> participants[kMaxParticipants];
  std::atomic<uint64_t> waiters[kRendezvousWaiters];
};

static_assert(sizeof(MailboxHeader) == 128);
static_assert(offsetof(MailboxHeader, magic) == 0);
static_assert(offsetof(MailboxHeader, version) == 8);
static_assert(offsetof(MailboxHeader, capacity_kind) == 12);
static_assert(offsetof(MailboxHeader, blocks) == 16);
static_assert(offsetof(MailboxHeader, page_bytes) == 20);
static_assert(offsetof(MailboxHeader, max_message_bytes) == 24);
static_assert(offsetof(MailboxHeader, max_memory_bytes) == 32);
static_assert(offsetof(MailboxHeader, segment_bytes) == 40);
static_assert(offsetof(MailboxHeader, pid_namespace) == 48);
static_assert(offsetof(MailboxHeader, time_namespace) == 56);
static_assert(offsetof(MailboxHeader, capacity) == 64);
static_assert(sizeof(QueueControl) == 256);
static_assert(offsetof(QueueControl, tail) == 0);
static_assert(offsetof(QueueControl, head) == 128);
static_assert(sizeof(EventControl) == 128);
static_assert(offsetof(EventControl, armings) == 0);
static_assert(offsetof(EventControl, quiet) == 8);
static_assert(offsetof(EventControl, sequence) == 16);
static_assert(sizeof(BlockEntry) == 64);
static_assert(offsetof(BlockEntry, state) == 0);
static_assert(offsetof(BlockEntry, size) == 8);
static_assert(offsetof(BlockEntry, sender) == 16);
static_assert(offsetof(BlockEntry, reserved_bytes) == 24);
static_assert(sizeof(MailboxState) == 128);
static_assert(offsetof(MailboxState, destroyed) == 0);
static_assert(offsetof(MailboxState, returns) == 8);
static_assert(offsetof(MailboxState, redelivered) == 16);
static_assert(offsetof(MailboxState, turns) == 24);
static_assert(offsetof(MailboxState, handed_over) == 32);
static_assert(offsetof(MailboxControl, messages) == 128);
static_assert(offsetof(MailboxControl, free_blocks) == 384);
static_assert(offsetof(MailboxControl, bare_blocks) == 640);
static_assert(offsetof(MailboxControl, message_event) == 896);
static_assert(offsetof(MailboxControl, room_event) == 1024);
static_assert(offsetof(MailboxControl, state) == 1152);
static_assert(offsetof(MailboxControl, participants) == 1280);
static_assert(offsetof(MailboxControl, waiters) == 9472);
static_assert(sizeof(MailboxControl) == 9984);
static_assert(std::is_standard_layout_v<MailboxControl>);
static_assert(std::is_trivially_destructible_v<MailboxControl>);
// An atomic that is a lock in disguise would have its lock in one process only.
static_assert(std::atomic<uint64_t>::is_always_lock_free);
static_assert(std::atomic<uint32_t>::is_always_lock_free);
static_assert(sizeof(std::atomic<uint64_t>) == sizeof(uint64_t));
static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_MAILBOX_LAYOUT_H_
