// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/core_calls.h"

#include <grpc/census.h>
#include <grpc/support/time.h>

#include <array>
#include <utility>

#include "absl/base/config.h"
#include "transport/base/fork.h"

namespace grpc_shm {
namespace {

// Most applications end a call before they begin another one. Each takes 8.6
// kB, with the memory below.
constexpr size_t kMostFree = 64;

// An application that destroys a context too early, while operations are under
// way, still takes those from its queue, for which gRPC looks at their memory.
constexpr size_t kMostRetired = 64;

// Queues that the application takes asynchronous operations from, as most
// applications have.
constexpr size_t kCarriersOfThread = 4;

// A generated call takes some 1,200 bytes.
constexpr size_t kFirstMemoryBytes = 2048;
constexpr size_t kAlignment = alignof(std::max_align_t);

// What our calls are marked with, in place of a tracing context.
char mark;
census_context* Mark() { return reinterpret_cast<census_context*>(&mark); }

}  // namespace

void* CoreCalls::Memory::Allocate(size_t bytes) {
  bytes = (bytes + kAlignment - 1) & ~(kAlignment - 1);
  if (bytes > kFirstMemoryBytes - used_) {
    others_.emplace_back(new std::byte[bytes]);
    return others_.back().get();
  }
  if (first_ == nullptr) first_.reset(new std::byte[kFirstMemoryBytes]);
  return &first_[std::exchange(used_, used_ + bytes)];
}

void CoreCalls::Memory::Clear() {
  used_ = 0;
  others_.clear();
#ifdef ABSL_HAVE_ADDRESS_SANITIZER
  first_ = nullptr;  // it is to see who uses it still
#endif
}

// Calls that stand for queues, of one thread. They keep what is left of their
// queues, so that no other queue is taken for one of these.
class CoreCalls::Carriers {
 public:
  Carriers() = default;
  Carriers(const Carriers&) = delete;
  Carriers& operator=(const Carriers&) = delete;
  ~Carriers() {
    if (IsForkedChild()) return;  // the core's locks may be held for ever
    for (const Carrier& carrier : carriers_) {
      if (carrier.call != nullptr) grpc_call_unref(carrier.call);
    }
  }

  grpc_call* For(grpc_completion_queue* queue) {
    for (const Carrier& carrier : carriers_) {
      if (carrier.queue == queue) return carrier.call;
    }
    grpc_call* const call = CoreCalls::Get().New(queue);
    const Carrier old = std::exchange(carriers_[next_], Carrier{queue, call});
    next_ = (next_ + 1) % carriers_.size();
    if (old.call != nullptr && !IsForkedChild()) grpc_call_unref(old.call);
    return call;
  }

 private:
  struct Carrier {
    grpc_completion_queue* queue = nullptr;
    grpc_call* call = nullptr;
  };

  std::array<Carrier, kCarriersOfThread> carriers_;
  size_t next_ = 0;  // to be replaced
};

CoreCalls& CoreCalls::Get() {
  static CoreCalls* const calls = new CoreCalls;
  return *calls;
}

CoreCalls::CoreCalls()
    : channel_((grpc_init(),  // for ever: so live the calls
                grpc_lame_client_channel_create(nullptr, GRPC_STATUS_INTERNAL,
                                                "nothing happens here"))),
      unused_queue_(grpc_completion_queue_create_for_next(nullptr)) {}

grpc_call* CoreCalls::New(grpc_completion_queue* queue) {
  return grpc_channel_create_call(
      channel_, nullptr, GRPC_PROPAGATE_DEFAULTS, queue,
      grpc_slice_from_static_string("/short"), nullptr,
      gpr_inf_future(GPR_CLOCK_REALTIME), nullptr);
}

grpc_call* CoreCalls::Take() {
  grpc_call* call = nullptr;
  {
    MutexLock lock(&mu_);
    if (!free_.empty()) {
      call = free_.back();
      free_.pop_back();
    }
  }
  if (call == nullptr) {
    call = New(unused_queue_);
    grpc_census_call_set_context(call, Mark());
    MutexLock lock(&mu_);
    memory_.try_emplace(call);
  }
  grpc_call_ref(call);
  return call;
}

void CoreCalls::GiveBack(grpc_call* call, bool as_good_as_new) {
  Memory memory;  // destroyed without the lock
  {
    MutexLock lock(&mu_);
    auto it = memory_.find(call);
    if (as_good_as_new && free_.size() < kMostFree) {
      it->second.Clear();
      free_.push_back(call);
      return;
    }
    memory = std::move(it->second);
    memory_.erase(it);
    if (!as_good_as_new) {
      retired_.push_back(std::exchange(memory, Memory()));
      if (retired_.size() > kMostRetired) {
        memory = std::move(retired_.front());
        retired_.pop_front();
      }
    }
  }
  grpc_call_unref(call);
}

bool CoreCalls::IsOne(grpc_call* call) {
  return grpc_census_call_get_context(call) == Mark();
}

void* CoreCalls::Allocate(grpc_call* call, size_t bytes) {
  MutexLock lock(&mu_);
  return memory_[call].Allocate(bytes);
}

grpc_call_error CoreCalls::End(grpc_completion_queue* queue, void* tag) {
  static thread_local Carriers carriers;
  return grpc_call_start_batch(carriers.For(queue), nullptr, 0, tag, nullptr);
}

}  // namespace grpc_shm
