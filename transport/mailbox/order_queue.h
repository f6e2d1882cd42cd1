// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_ORDER_QUEUE_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_ORDER_QUEUE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "transport/mailbox/mailbox_layout.h"
#include "transport/mailbox/words.h"

namespace grpc_shm {

// A queue of blocks, first in, first out, that any number of processes put
// blocks into and take them from: the messages of a mailbox, and its free
// blocks. Lock-free, and whole after the death of any of them at any
// instruction: whatever one leaves undone, the next who passes does.
//
// A queue is an array of cells, and two positions, tail and head, that only
// grow; position p lives in cell p % cells. The queue holds blocks by the cells
// *and* by the blocks' states, and which of the two decides what:
//
//   Put:   1. the block's state says {kind, me, tail}     (nobody looks yet)
//          2. the cell goes from an earlier lap to {lap, block}   <- it is in
//          3. tail moves on                               (anybody may do it)
//   Take:  1. the block's state goes from {kind, *, head} to {kind', me, head}
//                                                                <- it is out
//          2. head moves on                               (anybody may do it)
//
// The marked steps are one compare-and-swap each. Between them and the next
// steps, others see a tail or a head that lags, or at the head a block that is
// no longer in the state that it was put in with ("stale"), and finish the
// work. So the order of the queue is the order in which puts took effect. A
// cell keeps what it had until the next lap; it is filled again only when the
// head has passed it.
//
// The idea of a cell with a lap counter is that of the bounded queues of
// Vyukov (2010) and of Tsigas and Zhang ("A simple, fast and scalable
// non-blocking concurrent FIFO queue for shared memory multiprocessor systems",
// 2001); helping is that of Michael and Scott (1996).
//
// Threads, processes: any. A block is put by who has it alone. The memory must
// outlive the object, which is a view of it.
//
// Damage: indices that can't be are noticed, and answered with kDamaged; no
// memory outside of the arrays is touched.
//
// Memory ordering: what was done with a block before Put is visible to who
// takes it. A Put is sequentially consistent with Empty() and Take(): of one
// who puts and then looks whether somebody sleeps (Eventcount), and one who
// says that it will sleep and then looks here, one sees the other.
template <class Atomics>
class BasicOrderQueue {
 public:
  using Control = BasicQueueControl<Atomics>;
  using CellWord = typename Atomics::template Atomic<uint64_t>;
  using Entry = BasicBlockEntry<Atomics>;

  enum class Result { kDone, kEmpty, kDamaged };

  // `cells` is a power of two and greater than `blocks`. Blocks in this queue
  // are of `kind`.
  BasicOrderQueue(Control* control, CellWord* cells, size_t cell_count,
                  Entry* entries, uint32_t blocks, BlockKind kind)
      : control_(control),
        cells_(cells),
        mask_(cell_count - 1),
        shift_(ShiftOf(cell_count)),
        entries_(entries),
        blocks_(blocks),
        kind_(kind) {}

  // Puts a block that `me` has for itself.
  Result Put(uint32_t block, ParticipantToken me) {
    auto& state = entries_[block].state;
    while (true) {
      // Acquire: with the tail come the cells before it.
      const uint64_t tail = control_->tail.load(std::memory_order_acquire);
      CellWord& word = cells_[tail & mask_];
      uint64_t seen = word.load(std::memory_order_acquire);
      const Cell cell = Cell::Unpack(seen);
      if (IsOpen(cell, tail) && HeadHasPassed(tail)) {
        // Release: what was done with the block goes to who reads its state.
        state.store(BlockState{kind_, me, tail}.Pack(),
                    std::memory_order_release);
        // Sequentially consistent: see above. Releases the state as well.
        if (word.compare_exchange_strong(
                seen, Cell{LapOf(tail), block + 1}.Pack(),
                std::memory_order_seq_cst, std::memory_order_relaxed)) {
          Advance(control_->tail, tail);
          return Result::kDone;
        }
        continue;
      }
      if (IsFilled(cell, tail)) {
        Advance(control_->tail, tail);
        continue;
      }
      if (control_->tail.load(std::memory_order_acquire) != tail) continue;
      if (!IsOpen(cell, tail)) return Result::kDamaged;
      // The head lags.
      const uint64_t head = control_->head.load(std::memory_order_acquire);
      if (!PushHead(tail - (mask_ + 1)) &&
          control_->head.load(std::memory_order_acquire) == head &&
          !HeadHasPassed(tail) &&
          word.load(std::memory_order_acquire) == seen) {
        return Result::kDamaged;
      }
    }
  }

  // Takes the block at the head: it is `me`'s then, and of `to`.
  Result Take(BlockKind to, ParticipantToken me, uint32_t* block) {
    while (true) {
      // Acquire: with the head come the cells behind it.
      const uint64_t head = control_->head.load(std::memory_order_acquire);
      // Sequentially consistent: see above. Acquires the state.
      const Cell cell =
          Cell::Unpack(cells_[head & mask_].load(std::memory_order_seq_cst));
      if (IsFilled(cell, head)) {
        if (cell.block() >= blocks_) return Result::kDamaged;
        auto& state = entries_[cell.block()].state;
        // Acquire: what was done with the block before it was put.
        uint64_t old = state.load(std::memory_order_acquire);
        const bool won =
            BlockState::Unpack(old).IsAt(kind_, head) &&
            state.compare_exchange_strong(old, BlockState{to, me, head}.Pack(),
                                          std::memory_order_acq_rel,
                                          std::memory_order_relaxed);
        Advance(control_->head, head);
        if (!won) continue;  // stale
        *block = cell.block();
        return Result::kDone;
      }
      if (IsOpen(cell, head)) return Result::kEmpty;
      if (IsFilled(cell, head + mask_ + 1)) {
        Advance(control_->head, head);
        continue;
      }
      if (control_->head.load(std::memory_order_acquire) == head) {
        return Result::kDamaged;
      }
    }
  }

  // Whether there was nothing at the head. For those who wait: cheap, and true
  // does not say that Take would fail.
  bool Empty() const {
    const uint64_t head = control_->head.load(std::memory_order_acquire);
    return IsOpen(
        Cell::Unpack(cells_[head & mask_].load(std::memory_order_seq_cst)),
        head);
  }

  // Whether the cell at `state.position` has the block, which is in `state`:
  // whether the put of an owner who is dead took effect.
  bool Holds(uint32_t block, BlockState state) const {
    // The position's upper bits are not in the state; those of the tail or the
    // head, whichever is near, are.
    const uint64_t head = control_->head.load(std::memory_order_acquire);
    const uint64_t ahead = (state.position - head) & BlockState::kPositionMask;
    if (ahead > mask_) return false;  // behind the head, or nowhere
    const uint64_t position = head + ahead;
    const Cell cell =
        Cell::Unpack(cells_[position & mask_].load(std::memory_order_seq_cst));
    return IsFilled(cell, position) && cell.block() == block;
  }

  // How many have ever been put, or taken.
  uint64_t puts() const {
    return control_->tail.load(std::memory_order_relaxed);
  }
  uint64_t takes() const {
    return control_->head.load(std::memory_order_relaxed);
  }

 private:
  static constexpr int ShiftOf(size_t cells) {
    int shift = 0;
    while ((size_t{1} << shift) < cells) ++shift;
    return shift;
  }

  uint64_t LapOf(uint64_t position) const {
    return position >> shift_ & Cell::kLapMask;
  }

  // Whether the cell has what was put at the position, or still waits for it.
  bool IsFilled(Cell cell, uint64_t position) const {
    return !cell.empty() && cell.lap == LapOf(position);
  }
  bool IsOpen(Cell cell, uint64_t position) const {
    const uint64_t lap = LapOf(position);
    return cell.empty() ? lap == 0 : cell.lap == ((lap - 1) & Cell::kLapMask);
  }

  // Whether what the cell of `tail` had a lap ago is out, and seen to be.
  bool HeadHasPassed(uint64_t tail) {
    // Positions that have never been used before were passed in advance.
    const uint64_t needed = tail <= mask_ ? 0 : tail - mask_;
    // Acquire, here and below, and release: the taking of what lay before the
    // head. The note only saves looking where others write all the time.
    if (passed_.load(std::memory_order_acquire) >= needed) return true;
    const uint64_t head = control_->head.load(std::memory_order_acquire);
    passed_.store(head, std::memory_order_release);
    return head >= needed;
  }

  using Position = typename Atomics::template Atomic<uint64_t>;

  static void Advance(Position& position, uint64_t from) {
    // Release: who sees the new one sees the cell that it has passed. It fails
    // when somebody else has done it.
    position.compare_exchange_strong(from, from + 1, std::memory_order_release,
                                     std::memory_order_relaxed);
  }

  // The tail has come round to the head: moves the head on from `expected` if
  // somebody has left that undone.
  bool PushHead(uint64_t expected) {
    const uint64_t head = control_->head.load(std::memory_order_acquire);
    if (head != expected) return false;
    const Cell cell =
        Cell::Unpack(cells_[head & mask_].load(std::memory_order_acquire));
    if (!IsFilled(cell, head) || cell.block() >= blocks_) return false;
    const BlockState state = BlockState::Unpack(
        entries_[cell.block()].state.load(std::memory_order_acquire));
    // Full, although there are more cells than blocks.
    if (state.IsAt(kind_, head)) return false;
    Advance(control_->head, head);
    return true;
  }

  Control* const control_;
  CellWord* const cells_;
  const uint64_t mask_;
  const int shift_;
  Entry* const entries_;
  const uint32_t blocks_;
  const BlockKind kind_;
  Position passed_{0};  // a head that was seen
};

using OrderQueue = BasicOrderQueue<StdAtomics>;

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_ORDER_QUEUE_H_
