// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/call_anchor.h"

#include <grpc/support/time.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "transport/base/mutex.h"
#include "transport/grpc/completion.h"
#include "transport/grpc/convert.h"
#include "transport/grpc/private_server.h"

namespace grpc_shm {
namespace {

// Each handler's request takes some memory of the anchor's call, which it gives
// back only with the call.
constexpr int kMaxUses = 256;
// Handlers seldom run in greater numbers for long.
constexpr size_t kMaxPooled = 64;

bool IsNever(gpr_timespec deadline) {
  return gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0;
}

}  // namespace

// Makes anchors, and keeps those that nobody uses. Never destroyed.
class CallAnchor::Factory {
 public:
  static Factory& Get() {
    static Factory* const factory = new Factory;
    return *factory;
  }

  std::unique_ptr<CallAnchor> TakePooled() {
    MutexLock lock(&mu_);
    if (pool_.empty()) return nullptr;
    std::unique_ptr<CallAnchor> anchor = std::move(pool_.back());
    pool_.pop_back();
    return anchor;
  }

  // Gives the anchor back if there are enough.
  std::unique_ptr<CallAnchor> Pool(std::unique_ptr<CallAnchor> anchor) {
    MutexLock lock(&mu_);
    if (pool_.size() >= kMaxPooled) return anchor;
    pool_.push_back(std::move(anchor));
    return nullptr;
  }

  std::unique_ptr<CallAnchor> Make(gpr_timespec deadline,
                                   const std::string& authority) {
    std::unique_ptr<CallAnchor> anchor(new CallAnchor);
    grpc_call_details details;
    grpc_call_details_init(&details);
    grpc_metadata_array metadata;
    grpc_metadata_array_init(&metadata);
    anchor->client_context_.set_authority(authority);
    if (!IsNever(deadline)) anchor->client_context_.set_deadline(deadline);
    {
      MutexLock lock(&make_mu_);
      grpc_server_request_call(server_->c_server(), &anchor->call_, &details,
                               &metadata, anchor->queue_.cq(), queue_->cq(),
                               anchor.get());
      anchor->unused_ = stub_->PrepareCall(&anchor->client_context_, "/anchor",
                                           WrappedInlineQueue());
      grpc_op op{};
      op.op = GRPC_OP_SEND_INITIAL_METADATA;
      grpc_call_start_batch(anchor->client_context_.c_call(), &op, 1,
                            &anchor->ignore_, nullptr);
      grpc_completion_queue_next(queue_->cq(),
                                 gpr_inf_future(GPR_CLOCK_MONOTONIC), nullptr);
    }
    grpc_call_details_destroy(&details);
    grpc_metadata_array_destroy(&metadata);
    // Without it a cancellation would not reach the calls made on this one's
    // behalf.
    grpc_op op{};
    op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    op.data.recv_close_on_server.cancelled = &anchor->closed_;
    grpc_call_start_batch(anchor->call_, &op, 1, anchor.get(), nullptr);
    anchor->reusable_ = IsNever(deadline) && authority == kDefaultAuthority;
    return anchor;
  }

 private:
  Factory() {
    grpc::ServerBuilder builder;
    builder.RegisterAsyncGenericService(&any_method_);
    queue_ = builder.AddCompletionQueue();
    server_ = BuildPrivateServer(&builder);
    stub_ = std::make_unique<grpc::GenericStub>(
        server_->InProcessChannel(grpc::ChannelArguments()));
  }

  grpc::AsyncGenericService any_method_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<grpc::GenericStub> stub_;

  Mutex make_mu_;  // one request and one call at a time
  Mutex mu_;
  std::vector<std::unique_ptr<CallAnchor>> pool_ ABSL_GUARDED_BY(mu_);
};

CallAnchor::CallAnchor()
    : queue_(grpc_completion_queue_create_for_pluck(nullptr)) {
  ignore_.functor_run = [](grpc_completion_queue_functor*, int) {};
  ignore_.inlineable = 1;
}

CallAnchor::~CallAnchor() {
  grpc_call_cancel(call_, nullptr);
  grpc_completion_queue_pluck(queue_.cq(), this,
                              gpr_inf_future(GPR_CLOCK_MONOTONIC), nullptr);
  grpc_call_unref(call_);
}

std::unique_ptr<CallAnchor> CallAnchor::Take(gpr_timespec deadline,
                                             const std::string& authority) {
  Factory& factory = Factory::Get();
  std::unique_ptr<CallAnchor> anchor;
  if (IsNever(deadline) && authority == kDefaultAuthority)
    anchor = factory.TakePooled();
  if (anchor == nullptr) anchor = factory.Make(deadline, authority);
  ++anchor->uses_;
  return anchor;
}

void CallAnchor::Return(std::unique_ptr<CallAnchor> anchor) {
  if (anchor->reusable_ && anchor->uses_ < kMaxUses)
    anchor = Factory::Get().Pool(std::move(anchor));
}

void CallAnchor::Cancel() {
  reusable_ = false;
  grpc_call_cancel(call_, nullptr);
}

}  // namespace grpc_shm
