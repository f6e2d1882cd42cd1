// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_RING_RING_CONSUMER_H_
#define GRPC_SHM_TRANSPORT_RING_RING_CONSUMER_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "transport/base/fault_point.h"
#include "transport/ring/ring_cursor.h"
#include "transport/ring/ring_layout.h"

namespace grpc_shm {

// The reading end of a ring.
//
// Owns nothing: the control block and the data area (mapped twice in a row)
// belong to the link and must outlive it. Exactly one per ring, in exactly one
// process; its caller serialises the calls. Constructed on a ring that no
// consumer has used, whatever the producer has written by then.
//
// Nothing blocks. An empty ring is an ordinary answer. The only failure is a
// peer that breaks the protocol (an impossible index or header): Peek answers
// kBroken from then on.
//
//   while (consumer.Peek(&header, &payload) == RingConsumer::Next::kRecord) {
//     ... copy the payload out, then look at the copy ...
//     consumer.Pop();
//   }
//   consumer.Release();                                   // once per batch
//   if (consumer.TakeProducerWakeup()) RingDoorbell();
//   if (consumer.Arm()) ... sleep until the own doorbell rings ...
//
// The peer can write to the payload at any time, also after it was published.
// Copy it once and decide upon the copy.
class RingConsumer {
 public:
  enum class Next { kRecord, kEmpty, kBroken };

  // `mirrored_data` is the data area of `capacity` bytes, mapped twice in a
  // row; IsValidRingCapacity(capacity).
  RingConsumer(RingControl* control, const std::byte* mirrored_data,
               size_t capacity)
      : control_(control),
        cursor_(control, capacity),
        data_(mirrored_data),
        max_payload_(MaxRecordPayload(capacity)) {
    assert(IsValidRingCapacity(capacity));
  }

  // Looks at the next record without consuming it. On kRecord, `*header` is a
  // private copy whose length has been checked against what is published, and
  // `*payload` points to `header->length` bytes in shared memory, valid until
  // Release after Pop. Otherwise both are unchanged.
  Next Peek(RecordHeader* header, const std::byte** payload) {
    peeked_bytes_ = 0;
    const size_t readable = cursor_.Readable();
    if (readable == 0) return cursor_.broken() ? Next::kBroken : Next::kEmpty;
    const std::byte* const record = data_ + cursor_.offset();
    const RecordHeader copy = LoadHeader(record);
    if (copy.length > max_payload_ || RecordBytes(copy.length) > readable ||
        copy.reserved != 0) {
      cursor_.MarkBroken();
      return Next::kBroken;
    }
    peeked_bytes_ = RecordBytes(copy.length);
    *header = copy;
    *payload = record + sizeof(RecordHeader);
    return Next::kRecord;
  }

  // Consumes the record of the last Peek, which answered kRecord. Its space is
  // not reused before Release.
  void Pop() {
    assert(peeked_bytes_ != 0);
    cursor_.Advance(peeked_bytes_);
    peeked_bytes_ = 0;
    GRPC_SHM_FAULT_POINT(RingPopped);
  }

  // Lets the producer reuse the space of all popped records. Cheap, but the
  // producer notices it at the price of a cache miss: once per batch, or per
  // some KiB of a long one.
  void Release() { cursor_.Release(); }

  // The core that the producer rang from last; -1: none. Whatever it says, so
  // any number: only good for choosing another core.
  int ProducersCore() const {
    return static_cast<int>(
        control_->producer_core.load(std::memory_order_relaxed) - 1);
  }

  // After Release. True: the producer waits for space, and counts on the caller
  // to ring its doorbell.
  bool TakeProducerWakeup() { return cursor_.TakeProducerWakeup(); }

  // Announces sleep, after Release and TakeProducerWakeup. True: sleep until
  // the own doorbell rings, or at flag(), while that is kAtFlag, if that is
  // `where`. False: there are records (or the ring is broken): go on reading.
  bool Arm(armed_flag::Sleep where = armed_flag::kAtDoorbell) {
    return cursor_.Arm(where);
  }

  // Any thread.
  const std::atomic<uint32_t>* flag() const {
    return &control_->consumer_armed;
  }

  // Takes the announcement back, when awake for another reason than the
  // doorbell.
  void Disarm() { cursor_.Disarm(); }

 private:
  // Reads every byte of the header exactly once; an ordinary copy might be
  // optimised into reading the length again after it was checked.
  static RecordHeader LoadHeader(const std::byte* record) {
    const uint64_t* const words = reinterpret_cast<const uint64_t*>(record);
    const uint64_t copy[2] = {__atomic_load_n(&words[0], __ATOMIC_RELAXED),
                              __atomic_load_n(&words[1], __ATOMIC_RELAXED)};
    RecordHeader header;
    static_assert(sizeof(copy) == sizeof(header));
    std::memcpy(&header, copy, sizeof(header));
    return header;
  }

  RingControl* const control_;
  BasicConsumerCursor<StdAtomics> cursor_;
  const std::byte* const data_;
  const size_t max_payload_;
  size_t peeked_bytes_ =
      0;  // Of the record last peeked at and not yet popped; 0 for none.
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_RING_RING_CONSUMER_H_
