// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_RING_RING_CURSOR_H_
#define GRPC_SHM_TRANSPORT_RING_RING_CURSOR_H_

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "transport/base/fault_point.h"
#include "transport/ring/armed_flag.h"
#include "transport/ring/ring_layout.h"

namespace grpc_shm {

// The two ends of a ring without its bytes: who may touch which part of the
// data area, and when who must be woken. This is all of the ring that depends
// on memory ordering, so it is what the model checker runs
// (tests/model/ring_model_test.cc).
//
// Single producer, single consumer, after Lamport ("Specifying Concurrent
// Program Modules", 1983), with each side caching the other's position (Lee,
// Bu, Chandranmenon: "A lock-free, cache-efficient multi-core synchronization
// mechanism for line-rate network traffic monitoring", 2010): the line that the
// peer writes is read only when the cached value is used up.
//
// Both classes: one per process and ring; calls are serialised by the caller.
// The control block must outlive them. They trust their own position, which is
// private, and nothing that the peer can write: its position is loaded once,
// checked, then used. An impossible one makes broken() true for ever, after
// which no space and no records are granted.
//
// Memory ordering: what a producer wrote before Publish() is visible to the
// consumer that Readable() grants it to; what a consumer read before Release()
// has been read before HasSpace() grants those bytes to the producer. How
// sleepers are woken without loss: armed_flag.h.

// The producer's end: a private tail up to which records are complete, a
// published tail up to which the consumer may read, and the limit up to which
// the consumer has freed space.
template <class Atomics>
class BasicProducerCursor {
 public:
  using Control = BasicRingControl<Atomics>;

  // `capacity` is a power of two and a multiple of kRecordAlignment.
  BasicProducerCursor(Control* control, size_t capacity)
      : control_(control), capacity_(capacity), limit_(capacity) {}
  BasicProducerCursor(const BasicProducerCursor&) = delete;
  BasicProducerCursor& operator=(const BasicProducerCursor&) = delete;

  // Where the next record starts in the data area.
  size_t offset() const { return static_cast<size_t>(tail_ & (capacity_ - 1)); }

  // Whether `bytes` bytes from offset() on may be written.
  bool HasSpace(size_t bytes) {
    if (tail_ + bytes <= limit_) return true;
    RefreshLimit();
    return tail_ + bytes <= limit_;
  }

  // How far the consumer had freed space when that was last looked at.
  uint64_t known_head() const { return limit_ - capacity_; }

  // Whether the consumer has freed space since. Any thread may ask, whoever
  // uses the rest. Relaxed: only HasSpace gives space.
  bool HasMovedFrom(uint64_t known_head) const {
    return control_->head.load(std::memory_order_relaxed) != known_head;
  }

  // Whether the consumer has released all that is published. Relaxed: it gives
  // nothing. (Nor does it tell whether the consumer sleeps: it may have gone to
  // sleep again.)
  bool IsConsumed() const {
    return control_->head.load(std::memory_order_relaxed) == published_;
  }

  // `bytes` bytes from offset() on are a complete record, not yet visible to
  // the consumer. HasSpace must have granted them, and `bytes` must be a
  // multiple of kRecordAlignment.
  void Advance(size_t bytes) {
    assert(bytes % kRecordAlignment == 0);
    tail_ += bytes;
  }

  // Makes all complete records visible. Not kAwake: the consumer was asleep;
  // wake it.
  armed_flag::Sleep Publish() {
    return StoreTail() ? TakeConsumerWakeup() : armed_flag::kAwake;
  }

  // The same, but leaves the consumer asleep for now: true if it is. Then
  // TakeConsumerWakeup is to follow.
  bool PublishQuietly() {
    return StoreTail() && armed_flag::IsSet<Atomics>(control_->consumer_armed);
  }

  // Not kAwake: the consumer was asleep; wake it.
  armed_flag::Sleep TakeConsumerWakeup() {
    return armed_flag::Take<Atomics>(control_->consumer_armed);
  }

  // Announces that the producer will sleep until `bytes` bytes may be free.
  // False: do not sleep, they are free by now (or the ring is broken).
  // Everything must have been published: the consumer cannot free what it has
  // not got, and both would sleep for ever.
  bool ArmForSpace(size_t bytes) {
    assert(published_ == tail_);
    armed_flag::Set<Atomics>(control_->producer_armed, armed_flag::kAtDoorbell);
    Atomics::Reach(FaultPoint::kRingArmedForSpace);
    RefreshLimit();
    if (!broken_ && tail_ + bytes > limit_) return true;
    armed_flag::Clear<Atomics>(control_->producer_armed);
    return false;
  }

  // Whether the consumer ever claimed to have read what was not published, or
  // took a claim back.
  bool broken() const { return broken_; }

 private:
  // False if there is nothing new.
  bool StoreTail() {
    if (published_ == tail_) return false;
    published_ = tail_;
    // Pairs with the acquire in BasicConsumerCursor::RefreshTail: hands the
    // records over.
    control_->tail.store(tail_, std::memory_order_release);
    Atomics::Reach(FaultPoint::kRingTailStored);
    return true;
  }

  void RefreshLimit() {
    if (broken_) return;
    // Pairs with the release in BasicConsumerCursor::Release: the consumer is
    // done with the bytes before `head`, which may be overwritten.
    const uint64_t head = control_->head.load(std::memory_order_acquire);
    const uint64_t last_head = limit_ - capacity_;
    // Unsigned, so a head that moved back is a huge step forward.
    const uint64_t step = head - last_head;
    if (step > published_ - last_head || step % kRecordAlignment != 0) {
      broken_ = true;
      limit_ = 0;  // No more space, ever.
      return;
    }
    limit_ = head + capacity_;
  }

  Control* const control_;
  const uint64_t capacity_;
  // Last checked head + capacity_: how far the tail may go.
  uint64_t limit_;
  uint64_t tail_ = 0;
  // Last value stored to the shared tail.
  uint64_t published_ = 0;
  bool broken_ = false;
};

// The consumer's end: a private head up to which records are read, a released
// head up to which the producer may overwrite, and the tail up to which the
// producer has published.
template <class Atomics>
class BasicConsumerCursor {
 public:
  using Control = BasicRingControl<Atomics>;

  // `capacity` is a power of two and a multiple of kRecordAlignment.
  BasicConsumerCursor(Control* control, size_t capacity)
      : control_(control), capacity_(capacity) {}
  BasicConsumerCursor(const BasicConsumerCursor&) = delete;
  BasicConsumerCursor& operator=(const BasicConsumerCursor&) = delete;

  // Where the next record starts in the data area.
  size_t offset() const { return static_cast<size_t>(head_ & (capacity_ - 1)); }

  // How many bytes from offset() on are published records; 0 when there is
  // none, or broken(). Not all that are published, but always whole records:
  // the tail is looked at again only when those seen before are read.
  size_t Readable() {
    if (tail_ == head_) RefreshTail();
    return static_cast<size_t>(tail_ - head_);
  }

  // Done with `bytes` bytes from offset() on; they stay as they are until
  // Release.
  void Advance(size_t bytes) {
    assert(bytes % kRecordAlignment == 0 && bytes <= tail_ - head_);
    head_ += bytes;
  }

  // Gives everything read back to the producer for reuse.
  void Release() {
    if (released_ == head_) return;
    released_ = head_;
    wakeup_checked_ = false;
    // Pairs with the acquire in BasicProducerCursor::RefreshLimit: hands the
    // space over.
    control_->head.store(head_, std::memory_order_release);
    Atomics::Reach(FaultPoint::kRingHeadStored);
  }

  // After Release. True: the producer waits for space; ring its doorbell.
  bool TakeProducerWakeup() {
    // A producer that armed since the last check has itself seen all that was
    // released by then.
    if (wakeup_checked_) return false;
    wakeup_checked_ = true;
    return armed_flag::Take<Atomics>(control_->producer_armed) !=
           armed_flag::kAwake;
  }

  // Announces that the consumer will sleep until there may be records. False:
  // do not sleep, there are some by now (or the ring is broken). Everything
  // read must have been released, and TakeProducerWakeup asked: else the
  // producer may be asleep for want of that space.
  bool Arm(armed_flag::Sleep where = armed_flag::kAtDoorbell) {
    assert(released_ == head_ && wakeup_checked_);
    armed_flag::Set<Atomics>(control_->consumer_armed, where);
    Atomics::Reach(FaultPoint::kRingArmed);
    if (Readable() == 0 && !broken_) return true;
    Disarm();
    return false;
  }

  // Takes the announcement back, when the consumer is awake for another reason
  // than its doorbell.
  void Disarm() { armed_flag::Clear<Atomics>(control_->consumer_armed); }

  // Whether the producer's tail ever was impossible, or MarkBroken was called.
  bool broken() const { return broken_; }

  // The peer broke the protocol in what it published. No record is granted any
  // more.
  void MarkBroken() {
    broken_ = true;
    tail_ = head_;
  }

 private:
  void RefreshTail() {
    if (broken_) return;
    // Pairs with the release in BasicProducerCursor::Publish: records before
    // `tail` are complete.
    const uint64_t tail = control_->tail.load(std::memory_order_acquire);
    // Unsigned, so a tail that moved back is a huge step forward. The producer
    // may fill what has been released, not what has merely been read.
    const uint64_t step = tail - tail_;
    if (step > capacity_ - (tail_ - released_) ||
        step % kRecordAlignment != 0) {
      MarkBroken();
      return;
    }
    tail_ = tail;
  }

  Control* const control_;
  const uint64_t capacity_;
  uint64_t head_ = 0;
  // Last checked value of the shared tail. head_ <= tail_.
  uint64_t tail_ = 0;
  // Last value stored to the shared head. tail_ - released_ <= capacity_.
  uint64_t released_ = 0;
  // Nothing was released since the producer's flag was last looked at.
  bool wakeup_checked_ = true;
  bool broken_ = false;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_RING_RING_CURSOR_H_
