// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/core_calls.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "grpc/support/time.h"
#include "gtest/gtest.h"
#include "transport/grpc/core_table.h"

namespace grpc_shm {
namespace {

struct DestroyQueue {
  void operator()(grpc_completion_queue* queue) const {
    grpc_completion_queue_shutdown(queue);
    grpc_completion_queue_destroy(queue);
  }
};
using Queue = std::unique_ptr<grpc_completion_queue, DestroyQueue>;

Queue NewQueue() {
  return Queue(grpc_completion_queue_create_for_next(nullptr));
}

// What comes out of it, at once; null: nothing.
void* Next(const Queue& queue) {
  const grpc_event event = grpc_completion_queue_next(
      queue.get(), gpr_time_0(GPR_CLOCK_MONOTONIC), nullptr);
  return event.type == GRPC_OP_COMPLETE && event.success != 0 ? event.tag
                                                              : nullptr;
}

class CoreCallsTest : public ::testing::Test {
 protected:
  // As a context that is destroyed.
  void Return(grpc_call* call, bool as_good_as_new) {
    grpc_call_unref(call);
    calls_.GiveBack(call, as_good_as_new);
  }

  CoreCalls& calls_ = CoreCalls::Get();
};

TEST_F(CoreCallsTest, OneServesAgain) {
  grpc_call* const first = calls_.Take();
  grpc_call* const second = calls_.Take();
  EXPECT_NE(first, second);
  Return(first, /*as_good_as_new=*/true);
  EXPECT_EQ(calls_.Take(), first);
  Return(first, true);
  Return(second, true);
}

TEST_F(CoreCallsTest, OneThatWasCancelledDoesNot) {
  grpc_call* const cancelled = calls_.Take();
  grpc_call_cancel(cancelled, nullptr);
  grpc_call_ref(cancelled);  // so that no other has its address
  Return(cancelled, /*as_good_as_new=*/false);
  grpc_call* const other = calls_.Take();
  EXPECT_NE(other, cancelled);
  Return(other, true);
  grpc_call_unref(cancelled);
}

TEST_F(CoreCallsTest, KnowsItsOwn) {
  grpc_call* const own = calls_.Take();
  EXPECT_TRUE(CoreCalls::IsOne(own));
  Return(own, true);

  grpc_channel* const channel =
      grpc_lame_client_channel_create("", GRPC_STATUS_INTERNAL, "");
  const Queue queue = NewQueue();
  grpc_call* const other = grpc_channel_create_call(
      channel, nullptr, GRPC_PROPAGATE_DEFAULTS, queue.get(),
      grpc_slice_from_static_string("/other"), nullptr,
      gpr_inf_future(GPR_CLOCK_REALTIME), nullptr);
  EXPECT_FALSE(CoreCalls::IsOne(other));
  grpc_call_unref(other);
  grpc_channel_destroy(channel);
}

TEST_F(CoreCallsTest, MemoryIsApartAndAligned) {
  for (int use = 0; use < 3; ++use) {
    grpc_call* const call = calls_.Take();
    struct Piece {
      unsigned char* begin;
      size_t bytes;
    };
    std::vector<Piece> pieces;
    for (const size_t bytes : {1, 100, 1500, 17, 400, 5000, 16, 2048}) {
      auto* const begin =
          static_cast<unsigned char*>(calls_.Allocate(call, bytes));
      EXPECT_EQ(reinterpret_cast<uintptr_t>(begin) % alignof(max_align_t), 0u);
      std::memset(begin, static_cast<int>(pieces.size()), bytes);
      pieces.push_back({begin, bytes});
    }
    for (size_t i = 0; i < pieces.size(); ++i) {
      for (size_t k = 0; k < pieces[i].bytes; ++k)
        ASSERT_EQ(pieces[i].begin[k], i) << k;
    }
    Return(call, true);
  }
}

TEST_F(CoreCallsTest, MemoryOfOneGivenUpEarlyStaysForAWhile) {
  std::vector<int*> memory;
  for (int i = 0; i < 60; ++i) {
    grpc_call* const call = calls_.Take();
    memory.push_back(static_cast<int*>(calls_.Allocate(call, sizeof(int))));
    *memory.back() = i;
    Return(call, /*as_good_as_new=*/false);
  }
  for (int i = 0; i < 60; ++i) EXPECT_EQ(*memory[i], i);
}

TEST_F(CoreCallsTest, EndsInTheRightQueue) {
  // More than it remembers.
  std::vector<Queue> queues;
  for (int i = 0; i < 40; ++i) queues.push_back(NewQueue());
  for (int round = 0; round < 3; ++round) {
    for (const Queue& queue : queues) {
      int tags[2];
      for (int& tag : tags)
        EXPECT_EQ(calls_.End(queue.get(), &tag), GRPC_CALL_OK);
      EXPECT_EQ(Next(queue), &tags[0]);
      EXPECT_EQ(Next(queue), &tags[1]);
      EXPECT_EQ(Next(queue), nullptr);
    }
  }
}

TEST_F(CoreCallsTest, ThreadsEndInOneQueue) {
  const Queue queue = NewQueue();
  std::array<int, 8> tags;
  for (int& tag : tags) {
    std::thread([&] {
      EXPECT_EQ(calls_.End(queue.get(), &tag), GRPC_CALL_OK);
    }).join();
    EXPECT_EQ(Next(queue), &tag);
  }
}

TEST_F(CoreCallsTest, QueuesEnd) {
  Queue queue = NewQueue();
  int tag;
  EXPECT_EQ(calls_.End(queue.get(), &tag), GRPC_CALL_OK);
  EXPECT_EQ(Next(queue), &tag);
  grpc_completion_queue_shutdown(queue.get());
  EXPECT_EQ(grpc_completion_queue_next(
                queue.get(), gpr_inf_future(GPR_CLOCK_MONOTONIC), nullptr)
                .type,
            GRPC_QUEUE_SHUTDOWN);
}

TEST(CoreTableTest, IsInPlace) { EXPECT_TRUE(IsCoreTableInPlace()); }

}  // namespace
}  // namespace grpc_shm
