// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_RING_RING_LAYOUT_H_
#define GRPC_SHM_TRANSPORT_RING_RING_LAYOUT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "transport/base/cache_line.h"
#include "transport/ring/atomics.h"

// Every byte of a ring in shared memory, and nothing that acts on it. Whoever
// changes anything here increments the layout version that the hand-shake
// compares (and the layout test reminds them).
//
// A ring carries records from exactly one producing process to exactly one
// consuming process. It is a control block and a data area of `capacity` bytes,
// a power of two. All zero bytes are its valid initial state: empty, nobody
// asleep.
//
// Control block, 512 bytes, each word alone on a stride of 128 bytes:
//
//      0        8    12                          128
//      +--------+----+----------------------------+
//    0 | tail   | pc | padding                    |  written by the producer
//      +----+---+----+----------------------------+
//  128 | ca | padding                             |  by the consumer; cleared
//      |    |                                     |  by either
//      +----+---+---------------------------------+
//  256 | head   | padding                         |  written by the consumer
//      +----+---+---------------------------------+
//  384 | pa | padding                             |  by the producer; cleared
//      |    |                                     |  by either
//      +----+-------------------------------------+
//
//   tail  uint64  bytes ever published; the next record will start at
//                 tail % capacity
//   pc    uint32  producer_core: which core the producer rang the doorbell on
//                 last, and 1; 0: none. A hint.
//   ca    uint32  consumer_armed: nonzero while the consumer sleeps (or is
//                 about to) for records: 2, at this very word (futex), or 1,
//                 until its doorbell rings
//   head  uint64  bytes ever consumed, and so free to be written again
//   pa    uint32  producer_armed: nonzero while the producer sleeps (or is
//                 about to) for space
//
// Record, in the data area, at a multiple of 16:
//
//      0               4       5       6               8
//      +---------------+-------+-------+---------------+
//    0 | length        | type  | flags | reserved (0)  |
//      +---------------+-------+-------+---------------+
//    8 | call_id                                       |
//      +-----------------------------------------------+
//   16 | payload, `length` bytes ...                   |
//      +-----------------------------------------------+
//      | padding to a multiple of 16, any bytes        |
//      +-----------------------------------------------+
//
// A record may run over the end of the data area and go on at its beginning;
// both sides map the area twice in a row, so to them it is contiguous. It takes
// at most half of the ring, so that one side can write a large record while the
// other still reads its predecessor.
//
// Publication rule: the bytes in [head, tail) belong to the consumer, all
// others to the producer. Records are handed over by a release store to tail,
// space by a release store to head; each is read with acquire. Both only ever
// grow, tail - head never exceeds capacity, both are multiples of 16, and tail
// always stands between two records. A party that sees these rules broken ends
// the link.
//
// Byte order and atomics are the machine's: both processes run on it.

namespace grpc_shm {

template <class Atomics>
struct BasicRingControl {
  alignas(kCacheLineStride) typename Atomics::template Atomic<uint64_t> tail{0};
  typename Atomics::template Atomic<uint32_t> producer_core{0};
  alignas(kCacheLineStride)
      typename Atomics::template Atomic<uint32_t> consumer_armed{0};
  alignas(kCacheLineStride) typename Atomics::template Atomic<uint64_t> head{0};
  alignas(kCacheLineStride)
      typename Atomics::template Atomic<uint32_t> producer_armed{0};
};

using RingControl = BasicRingControl<StdAtomics>;

struct RecordHeader {
  uint32_t length;    // Payload bytes that follow the header.
  uint8_t type;       // Meaning left to the layer above.
  uint8_t flags;      // Meaning left to the layer above.
  uint16_t reserved;  // Zero.
  uint64_t call_id;   // Meaning left to the layer above.
};

// Records start, and therefore end, at multiples of this.
inline constexpr size_t kRecordAlignment = 16;

// Bounds of a ring's capacity, which is a power of two. The upper one keeps
// every size and length far from overflow.
inline constexpr size_t kMinRingCapacity = size_t{4} << 10;
inline constexpr size_t kMaxRingCapacity = size_t{1} << 30;

constexpr bool IsValidRingCapacity(uint64_t capacity) {
  return capacity >= kMinRingCapacity && capacity <= kMaxRingCapacity &&
         (capacity & (capacity - 1)) == 0;
}

// Bytes that a record takes in a ring. `payload_bytes` must be less than 2^63.
constexpr size_t RecordBytes(size_t payload_bytes) {
  return (sizeof(RecordHeader) + payload_bytes + kRecordAlignment - 1) &
         ~(kRecordAlignment - 1);
}

// Largest payload of one record in a ring of `capacity` bytes.
constexpr size_t MaxRecordPayload(size_t capacity) {
  return capacity / 2 - sizeof(RecordHeader);
}

static_assert(sizeof(RingControl) == 4 * kCacheLineStride);
static_assert(alignof(RingControl) == kCacheLineStride);
static_assert(std::is_standard_layout_v<RingControl>);
static_assert(std::is_trivially_destructible_v<RingControl>);
static_assert(offsetof(RingControl, tail) == 0);
static_assert(offsetof(RingControl, producer_core) == 8);
static_assert(offsetof(RingControl, consumer_armed) == 128);
static_assert(offsetof(RingControl, head) == 256);
static_assert(offsetof(RingControl, producer_armed) == 384);
// An atomic that is a lock in disguise would have its lock in one process only.
static_assert(std::atomic<uint64_t>::is_always_lock_free);
static_assert(std::atomic<uint32_t>::is_always_lock_free);
static_assert(sizeof(std::atomic<uint64_t>) == sizeof(uint64_t));
static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));

static_assert(sizeof(RecordHeader) == 16 &&
              sizeof(RecordHeader) == kRecordAlignment);
static_assert(alignof(RecordHeader) == 8);
static_assert(std::is_trivially_copyable_v<RecordHeader>);
static_assert(std::has_unique_object_representations_v<
              RecordHeader>);  // no padding to leak
static_assert(offsetof(RecordHeader, length) == 0);
static_assert(offsetof(RecordHeader, type) == 4);
static_assert(offsetof(RecordHeader, flags) == 5);
static_assert(offsetof(RecordHeader, reserved) == 6);
static_assert(offsetof(RecordHeader, call_id) == 8);
static_assert(RecordBytes(MaxRecordPayload(kMinRingCapacity)) ==
              kMinRingCapacity / 2);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_RING_RING_LAYOUT_H_
