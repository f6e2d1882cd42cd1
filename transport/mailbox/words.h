// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_MAILBOX_WORDS_H_
#define GRPC_SHM_TRANSPORT_MAILBOX_WORDS_H_

#include <cstdint>

// The 64-bit words that processes compare and swap in a mailbox, and their
// parts. Pure functions of values; the words' places are in mailbox_layout.h.
//
// A word carries all that one step has to change, so that a process may die
// between any two instructions: the step was taken or it was not.

namespace grpc_shm {

// Who has a mailbox open: an entry of the participants table, and how often
// that entry has been used before. A repairer that was stopped for long, and
// goes on when the entry belongs to somebody else, finds nothing that is the
// newcomer's under this name.
struct ParticipantToken {
  static constexpr int kIndexBits = 10;
  static constexpr int kGenerationBits = 13;
  static constexpr int kBits = kIndexBits + kGenerationBits;

  uint32_t index = 0;
  uint32_t generation = 0;

  constexpr uint64_t Pack() const {
    return uint64_t{index} | uint64_t{generation} << kIndexBits;
  }
  static constexpr ParticipantToken Unpack(uint64_t bits) {
    return {static_cast<uint32_t>(bits & ((1u << kIndexBits) - 1)),
            static_cast<uint32_t>(bits >> kIndexBits &
                                  ((1u << kGenerationBits) - 1))};
  }
  friend constexpr bool operator==(ParticipantToken a, ParticipantToken b) {
    return a.index == b.index && a.generation == b.generation;
  }
  friend constexpr bool operator!=(ParticipantToken a, ParticipantToken b) {
    return !(a == b);
  }
};

// An entry of the participants table.
//
//    63                        42 41               13 12           0
//   +----------------------------+-------------------+--------------+
//   | pid, 0 if nobody's         | start, in ticks   | generation   |
//   +----------------------------+-------------------+--------------+
//
// pid: Linux gives none of more than 22 bits. start: the process's start time
// as in /proc/PID/stat, its low 29 bits: a pid that is used again at a multiple
// of 62 days would be taken for its predecessor. generation: grows when the
// entry is given up.
struct ParticipantWord {
  static constexpr int kStartBits = 29;
  static constexpr int kPidBits = 22;

  uint32_t pid = 0;
  uint32_t start = 0;
  uint32_t generation = 0;

  constexpr uint64_t Pack() const {
    return uint64_t{pid} << (kStartBits + ParticipantToken::kGenerationBits) |
           uint64_t{start} << ParticipantToken::kGenerationBits | generation;
  }
  static constexpr ParticipantWord Unpack(uint64_t bits) {
    constexpr int kGeneration = ParticipantToken::kGenerationBits;
    return {
        static_cast<uint32_t>(bits >> (kStartBits + kGeneration)),
        static_cast<uint32_t>(bits >> kGeneration & ((1u << kStartBits) - 1)),
        static_cast<uint32_t>(bits & ((1u << kGeneration) - 1))};
  }
  // Nobody's, and never again `generation`'s.
  static constexpr ParticipantWord After(uint32_t generation) {
    return {0, 0,
            (generation + 1) & ((1u << ParticipantToken::kGenerationBits) - 1)};
  }
};

// What a block is used for.
enum class BlockKind : uint8_t {
  // In the queue of free blocks at `position`, if the cell there says so.
  kFree = 0,
  // The same in the queue of free blocks without memory (unbounded alone).
  kBare = 1,
  // `owner` writes a message into it, or puts it away.
  kClaimed = 2,
  // A message: in the queue of messages at `position`, if the cell there says
  // so. In a rendezvous: its sender waits, the position is its turn.
  kPosted = 3,
  // A message that `owner` has received and not acknowledged.
  kTaken = 4,
  // A message that came back; `position` is what it was.
  kReturned = 5,
  // Rendezvous: `owner` gives it to the waiter whose slot and turn `position`
  // tells, if that slot says so.
  kOffered = 6,
};

// The state of a block.
//
//    63    61 60                   38 37                            0
//   +--------+-----------------------+------------------------------+
//   | kind   | owner                 | position                     |
//   +--------+-----------------------+------------------------------+
//
// owner is who last changed the state. position counts the places of a queue
// since creation, modulo 2^38: it is only ever compared for equality with a
// place that is in use now, of which there are fewer than 2^22.
struct BlockState {
  static constexpr int kPositionBits = 38;
  static constexpr uint64_t kPositionMask = (uint64_t{1} << kPositionBits) - 1;

  BlockKind kind = BlockKind::kFree;
  ParticipantToken owner;
  uint64_t position = 0;

  constexpr uint64_t Pack() const {
    return static_cast<uint64_t>(kind)
               << (kPositionBits + ParticipantToken::kBits) |
           owner.Pack() << kPositionBits | (position & kPositionMask);
  }
  static constexpr BlockState Unpack(uint64_t bits) {
    constexpr uint64_t kOwnerMask =
        (uint64_t{1} << ParticipantToken::kBits) - 1;
    return {static_cast<BlockKind>(bits >>
                                   (kPositionBits + ParticipantToken::kBits)),
            ParticipantToken::Unpack(bits >> kPositionBits & kOwnerMask),
            bits & kPositionMask};
  }
  // Whether one position comes before another that is in use as well.
  static constexpr bool IsBefore(uint64_t a, uint64_t b) {
    return ((a - b) & kPositionMask) > kPositionMask / 2;
  }
  constexpr bool IsAt(BlockKind k, uint64_t place) const {
    return kind == k && position == (place & kPositionMask);
  }
};

// A cell of a queue.
//
//    63                                       24 23                 0
//   +-------------------------------------------+-------------------+
//   | lap                                       | block + 1, or 0   |
//   +-------------------------------------------+-------------------+
//
// lap: how often the queue's positions had come round to this cell (modulo
// 2^40) when the block was put, so that no cell ever holds one value twice.
// 0: nothing has ever been there.
struct Cell {
  static constexpr int kBlockBits = 24;
  static constexpr uint64_t kLapMask = (uint64_t{1} << (64 - kBlockBits)) - 1;

  uint64_t lap = 0;
  uint32_t block_plus_1 = 0;

  constexpr uint64_t Pack() const {
    return (lap & kLapMask) << kBlockBits | block_plus_1;
  }
  static constexpr Cell Unpack(uint64_t bits) {
    return {bits >> kBlockBits,
            static_cast<uint32_t>(bits & ((1u << kBlockBits) - 1))};
  }
  constexpr bool empty() const { return block_plus_1 == 0; }
  constexpr uint32_t block() const { return block_plus_1 - 1; }
};

// A waiter's slot in a rendezvous.
//
//    63  62 61                      39 38           24 23              0
//   +------+--------------------------+---------------+----------------+
//   | kind | owner                    | turn          | block          |
//   +------+--------------------------+---------------+----------------+
//
// turn grows each time that the slot is taken, so that a block which was
// offered to an earlier waiter is not mistaken for one that this waiter got.
struct SlotWord {
  enum Kind : uint8_t { kIdle = 0, kWaiting = 1, kGiven = 2 };
  static constexpr int kTurnBits = 15;
  static constexpr uint32_t kTurnMask = (1u << kTurnBits) - 1;

  Kind kind = kIdle;
  ParticipantToken owner;
  uint32_t turn = 0;
  uint32_t block = 0;

  constexpr uint64_t Pack() const {
    return uint64_t{kind} << 62 |
           owner.Pack() << (kTurnBits + Cell::kBlockBits) |
           uint64_t{turn & kTurnMask} << Cell::kBlockBits | block;
  }
  static constexpr SlotWord Unpack(uint64_t bits) {
    constexpr uint64_t kOwnerMask =
        (uint64_t{1} << ParticipantToken::kBits) - 1;
    return {static_cast<Kind>(bits >> 62),
            ParticipantToken::Unpack(bits >> (kTurnBits + Cell::kBlockBits) &
                                     kOwnerMask),
            static_cast<uint32_t>(bits >> Cell::kBlockBits & kTurnMask),
            static_cast<uint32_t>(bits & ((1u << Cell::kBlockBits) - 1))};
  }
};

static_assert(3 + ParticipantToken::kBits + BlockState::kPositionBits == 64);
static_assert(ParticipantWord::kPidBits + ParticipantWord::kStartBits +
                  ParticipantToken::kGenerationBits ==
              64);
static_assert(2 + ParticipantToken::kBits + SlotWord::kTurnBits +
                  Cell::kBlockBits ==
              64);
// All zero bits mean: nobody's, free, empty, idle.
static_assert(ParticipantWord{}.Pack() == 0);
static_assert(BlockState{}.Pack() == 0);
static_assert(Cell{}.Pack() == 0);
static_assert(SlotWord{}.Pack() == 0);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_MAILBOX_WORDS_H_
