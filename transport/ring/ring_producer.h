// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_RING_RING_PRODUCER_H_
#define GRPC_SHM_TRANSPORT_RING_RING_PRODUCER_H_

#include <cassert>
#include <cstddef>
#include <cstring>

#include "transport/base/fault_point.h"
#include "transport/base/futex.h"
#include "transport/ring/ring_cursor.h"
#include "transport/ring/ring_layout.h"

namespace grpc_shm {

// The writing end of a ring: frames records into shared memory.
//
// Owns nothing: the control block and the data area (mapped twice in a row)
// belong to the link and must outlive it. Exactly one per ring, in exactly one
// process; its caller serialises the calls. Constructed on a ring that no
// producer has used.
//
// Nothing blocks. A full ring is an ordinary answer: TryReserve gives nullptr;
// the caller publishes, arms, and tries again when its doorbell rings. The only
// failure is a peer that breaks the protocol: broken() becomes true and stays
// so, and every reservation fails.
//
//   std::byte* payload = producer.TryReserve(n);          // once per record
//   ... fill payload ...
//   producer.Commit({n, type, flags, 0, call_id});
//   if (producer.Publish()) RingDoorbell();               // once per batch
//
// Where a consumer may sleep at its flag, Link::Wake takes RingDoorbell's
// place.
//
// Several records published at once cost one index store and one fence between
// them, and wake the consumer at most once.
class RingProducer {
 public:
  // `mirrored_data` is the data area of `capacity` bytes, mapped twice in a
  // row; IsValidRingCapacity(capacity).
  RingProducer(RingControl* control, std::byte* mirrored_data, size_t capacity)
      : control_(control),
        cursor_(control, capacity),
        data_(mirrored_data),
        max_payload_(MaxRecordPayload(capacity)) {
    assert(IsValidRingCapacity(capacity));
  }

  // Largest payload of one record, in bytes: half of the ring without a header.
  size_t max_payload() const { return max_payload_; }

  // Room for a payload of `payload_bytes` <= max_payload() bytes, aligned to
  // 16; nullptr when the ring is too full now or broken(). A reservation that
  // is not committed is simply forgotten.
  std::byte* TryReserve(size_t payload_bytes) {
    assert(payload_bytes <= max_payload_);
    if (!cursor_.HasSpace(RecordBytes(payload_bytes))) return nullptr;
    reserved_ = payload_bytes;
    GRPC_SHM_FAULT_POINT(RingReserved);
    return data_ + cursor_.offset() + sizeof(RecordHeader);
  }

  // The record that was reserved last is complete. `header.length` may be less
  // than was reserved and `header.reserved` must be 0. Not visible to the
  // consumer before Publish.
  void Commit(const RecordHeader& header) {
    assert(header.length <= reserved_ && header.reserved == 0);
    std::memcpy(data_ + cursor_.offset(), &header, sizeof(header));
    cursor_.Advance(RecordBytes(header.length));
    GRPC_SHM_FAULT_POINT(RingCommitted);
  }

  // Makes all committed records visible, in order. Not kAwake: the consumer was
  // asleep, and counts on the caller to ring its doorbell, or to WakeAtFlag.
  armed_flag::Sleep Publish() { return cursor_.Publish(); }

  // The same for a caller that will ring a little later, for more records at a
  // time. True: the consumer is asleep, and TakeConsumerWakeup is to be called
  // then. Until then the consumer may read by itself, and sleep again.
  bool PublishQuietly() { return cursor_.PublishQuietly(); }

  // As Publish, for what is published already.
  armed_flag::Sleep TakeConsumerWakeup() {
    return cursor_.TakeConsumerWakeup();
  }

  // Wakes the consumer that slept at its flag. Any thread.
  void WakeAtFlag() { Futex::Wake(control_->consumer_armed, 1); }

  // Tells the consumer, before its doorbell is rung, on which core that
  // happens. Any thread.
  void TellCore(int core) {
    control_->producer_core.store(static_cast<uint32_t>(core) + 1,
                                  std::memory_order_relaxed);
  }

  // Announces waiting for room for a payload of `payload_bytes` bytes, after
  // Publish. True: sleep until the own doorbell rings, then try again (it may
  // ring for less). False: try again at once.
  bool ArmForSpace(size_t payload_bytes) {
    return cursor_.ArmForSpace(RecordBytes(payload_bytes));
  }

  // Whether the consumer has read all that is published.
  bool IsConsumed() const { return cursor_.IsConsumed(); }

  // For a thread that waits awake for room, after a reservation has failed:
  // whether the consumer has freed any since it had freed up to `known_head`.
  // Any thread may ask.
  uint64_t known_head() const { return cursor_.known_head(); }
  bool HasMovedFrom(uint64_t known_head) const {
    return cursor_.HasMovedFrom(known_head);
  }

  // The consumer's index was impossible: moved back, or beyond what was
  // published. Sticky.
  bool broken() const { return cursor_.broken(); }

 private:
  RingControl* const control_;
  BasicProducerCursor<StdAtomics> cursor_;
  std::byte* const data_;
  const size_t max_payload_;
  size_t reserved_ = 0;  // Payload bytes of the last reservation.
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_RING_RING_PRODUCER_H_
