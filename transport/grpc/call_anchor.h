// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_CALL_ANCHOR_H_
#define GRPC_SHM_TRANSPORT_GRPC_CALL_ANCHOR_H_

#include <grpc/grpc.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <string>

namespace grpc_shm {

// The server side of a call of gRPC's core on which nothing ever happens: what
// the context of a handler that runs inline refers to. It makes calls that the
// handler makes on behalf of its own inherit deadline and cancellation, and is
// where gRPC takes memory for requests from. Its completion queue answers the
// empty batches that end the handler's operations.
//
// To make one takes as long as an in-process call. One without a deadline
// serves many handlers in turn, which is the same to them.
//
// Ownership: by one handler at a time. Threads: any; Cancel may be called while
// the handler runs.
class CallAnchor {
 public:
  // One of those that were returned, or a new one.
  static std::unique_ptr<CallAnchor> Take(gpr_timespec deadline,
                                          const std::string& authority);
  // For others to take, if it is as good as new.
  static void Return(std::unique_ptr<CallAnchor> anchor);

  CallAnchor(const CallAnchor&) = delete;
  CallAnchor& operator=(const CallAnchor&) = delete;
  ~CallAnchor();

  grpc_call* call() const { return call_; }
  grpc::CompletionQueue* queue() { return &queue_; }

  // Cancels the calls that were made on behalf of this one.
  void Cancel();

 private:
  class Factory;

  CallAnchor();

  grpc::CompletionQueue queue_;  // for plucking
  grpc_call* call_ = nullptr;
  grpc::ClientContext client_context_;  // owns the client side
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> unused_;
  grpc_completion_queue_functor ignore_{};
  int closed_ = 0;  // written by gRPC
  bool reusable_ = true;
  int uses_ = 0;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_CALL_ANCHOR_H_
