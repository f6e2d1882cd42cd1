// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_RING_ARMED_FLAG_H_
#define GRPC_SHM_TRANSPORT_RING_ARMED_FLAG_H_

#include <atomic>
#include <cstdint>

namespace grpc_shm {

// How a sleeping party is woken without losing a wake-up, and without ringing
// the doorbell of one that is awake. The same in both directions: the consumer
// sleeps for records, the producer for space.
//
// Dekker's protocol: each side writes its own word, then reads the other's,
// with a sequentially consistent fence between, so that at least one sees the
// other.
//
//   sleeper: armed = where;  fence;  read the index. Nothing new? Sleep there:
//                                    until the doorbell rings, or at the flag,
//                                    as a futex, as long as it says so.
//   waker:   index = new;    fence;  read armed. Not awake? Exchange it for
//                                    awake, and ring the doorbell, or wake who
//                                    sleeps at the flag.
//
// The waker that takes the flag away must wake: the sleeper relies on it. A
// sleeper that finds something after all disarms; should it be woken all the
// same, that is spurious and harmless. Whoever sleeps at the flag can be woken
// by the doorbell as well, whose owner then reads in its place.
//
// The flag is in memory that the peer can write, and only a hint: any value
// that it should not have means the doorbell, and a lie costs the liar's peer
// one wake-up too many, or the liar its own.
namespace armed_flag {

// The flag's values: where somebody sleeps.
enum Sleep : uint32_t {
  kAwake = 0,
  kAtDoorbell = 1,
  kAtFlag = 2,
};

// The sleeper's half, before it reads the index again.
template <class Atomics>
void Set(typename Atomics::template Atomic<uint32_t>& armed, Sleep where) {
  // Relaxed: ordered before the load of the index by the fence.
  armed.store(where, std::memory_order_relaxed);
  // Pairs with the fence in Take.
  Atomics::Fence(std::memory_order_seq_cst);
}

// The sleeper is awake.
template <class Atomics>
void Clear(typename Atomics::template Atomic<uint32_t>& armed) {
  // Relaxed: should the waker miss it, it rings once too often.
  armed.store(kAwake, std::memory_order_relaxed);
}

// The first part of the waker's half, after its index is stored, for one that
// will Take a little later unless the sleeper has found out by itself: whether
// it seems to be asleep. Nobody has to ring yet.
template <class Atomics>
bool IsSet(const typename Atomics::template Atomic<uint32_t>& armed) {
  // Pairs with the fence in Set.
  Atomics::Fence(std::memory_order_seq_cst);
  // Relaxed: ordered behind the store of the index by the fence.
  return armed.load(std::memory_order_relaxed) != kAwake;
}

// The waker's half, after its index is stored. Not kAwake: the peer was asleep,
// is disarmed now, and the caller must wake it.
template <class Atomics>
Sleep Take(typename Atomics::template Atomic<uint32_t>& armed) {
  // A load first, because the usual answer is no and then nothing need be
  // written.
  if (!IsSet<Atomics>(armed)) return kAwake;
  // Relaxed: nothing travels with the flag; the sleeper acquires the index. An
  // exchange, so that one arming is answered by one ring.
  const uint32_t taken = armed.exchange(kAwake, std::memory_order_relaxed);
  return taken == kAwake || taken == kAtFlag ? Sleep{taken} : kAtDoorbell;
}

}  // namespace armed_flag
}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_RING_ARMED_FLAG_H_
