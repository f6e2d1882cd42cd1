// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Anything in the shared memory of a ring, before and while an honest consumer
// and an honest producer use it: neither is ever led outside of the data, and
// neither gets stuck.

#include <algorithm>
#include <cstring>

#include "tests/fuzz/fuzz_input.pb.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/memory_mutator.h"
#include "tests/fuzz/poke.h"
#include "tests/unit/ring/test_ring.h"
#include "transport/ring/ring_consumer.h"
#include "transport/ring/ring_producer.h"

namespace grpc_shm {
namespace fuzz {
namespace {

constexpr size_t kCapacity = 4096;

class Body {
 public:
  Body() {
    // From one input to the next: mappings are what costs most.
    new (ring().control()) RingControl;
    std::memset(ring().data(), 0, kCapacity);
  }

  void Do(const RingStep& step) {
    RingControl& control = *ring().control();
    switch (step.step_case()) {
      case RingStep::kControl:
        DoPoke(step.control(), reinterpret_cast<std::byte*>(&control),
               sizeof(control));
        break;
      case RingStep::kData:
        DoPoke(step.data(), ring().data(), kCapacity);
        break;
      case RingStep::kHeader:
        PutHeader(step.header());
        break;
      case RingStep::kMoveTail:
        control.tail.fetch_add(step.move_tail());
        break;
      case RingStep::kMoveHead:
        control.head.fetch_add(step.move_head());
        break;
      case RingStep::kWrite:
        Write(step.write());
        break;
      case RingStep::kPublish:
        producer_.Publish();
        break;
      case RingStep::kArmForSpace:
        producer_.Publish();
        producer_.ArmForSpace(producer_.max_payload());
        break;
      case RingStep::kRead:
        Read(step.read());
        break;
      case RingStep::kRelease:
        Release();
        break;
      case RingStep::kArm:
        Release();
        consumer_.Arm();
        break;
      case RingStep::kDisarm:
        consumer_.Disarm();
        break;
      default:
        break;
    }
  }

  void Drain() {
    // It ends, since nothing that is published goes on for more than the ring
    // holds; who publishes on and on is stopped by the caller's own batches.
    Read(2 * kCapacity / sizeof(::grpc_shm::RecordHeader));
    Release();
    if (was_broken_) {
      ::grpc_shm::RecordHeader header;
      const std::byte* payload;
      FUZZ_CHECK(consumer_.Peek(&header, &payload) ==
                 RingConsumer::Next::kBroken);
      FUZZ_CHECK(!consumer_.Arm());
    }
    if (producer_.broken()) {
      FUZZ_CHECK(producer_.TryReserve(producer_.max_payload()) == nullptr);
    }
  }

  static TestRing& ring() {
    static auto* const ring = new TestRing(kCapacity);
    return *ring;
  }

 private:
  void PutHeader(const ::grpc_shm::fuzz::RecordHeader& from) {
    ::grpc_shm::RecordHeader header{};
    header.length = from.length();
    header.type = static_cast<uint8_t>(from.type());
    header.flags = static_cast<uint8_t>(from.flags());
    header.reserved = static_cast<uint16_t>(from.reserved());
    header.call_id = from.call_id();
    std::memcpy(ring().data() + read_ % kCapacity, &header, sizeof(header));
  }

  // Whether these bytes are in the data, as it is mapped.
  static bool IsWithin(const std::byte* at, size_t bytes) {
    const std::byte* const begin = ring().data();
    return at >= begin && bytes <= 2 * kCapacity &&
           at <= begin + 2 * kCapacity - bytes;
  }

  void Write(size_t bytes) {
    bytes %= producer_.max_payload() + 1;
    std::byte* const payload = producer_.TryReserve(bytes);
    if (payload == nullptr) return;
    FUZZ_CHECK(IsWithin(payload, bytes));
    std::memset(payload, 0, bytes);
    ::grpc_shm::RecordHeader header{};
    header.length = static_cast<uint32_t>(bytes);
    producer_.Commit(header);
  }

  void Read(size_t records) {
    records = std::min<size_t>(
        records, 4 * kCapacity / sizeof(::grpc_shm::RecordHeader));
    for (size_t i = 0; i < records; ++i) {
      ::grpc_shm::RecordHeader header{};
      const std::byte* payload = nullptr;
      const RingConsumer::Next next = consumer_.Peek(&header, &payload);
      if (next != RingConsumer::Next::kRecord) {
        was_broken_ = next == RingConsumer::Next::kBroken;
        return;
      }
      FUZZ_CHECK(!was_broken_);
      FUZZ_CHECK(header.reserved == 0);
      FUZZ_CHECK(header.length <= MaxRecordPayload(kCapacity));
      FUZZ_CHECK(IsWithin(payload, header.length));
      std::memcpy(copy_, payload, header.length);
      consumer_.Pop();
      read_ += RecordBytes(header.length);
    }
  }

  void Release() {
    consumer_.Release();
    consumer_.TakeProducerWakeup();
  }

  RingProducer producer_{ring().control(), ring().data(), kCapacity};
  RingConsumer consumer_{ring().control(), ring().data(), kCapacity};
  uint64_t read_ = 0;
  bool was_broken_ = false;
  std::byte copy_[kCapacity];
};

void Run(const RingInput& input) {
  Body body;
  TestRing& ring = Body::ring();
  const MemoryMutator::Scope mutator(
      input.mutator(), reinterpret_cast<std::byte*>(ring.control()),
      sizeof(RingControl), ring.data(), kCapacity);
  for (const RingStep& step : input.steps()) body.Do(step);
  body.Drain();
}

}  // namespace
}  // namespace fuzz
}  // namespace grpc_shm

GRPC_SHM_FUZZ_TARGET(grpc_shm::fuzz::RingInput, grpc_shm::fuzz::Run)
