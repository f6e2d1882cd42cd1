// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/grpc/forked_call.h"

#include <grpcpp/support/status.h>

#include "transport/grpc/grpc_access.h"

namespace grpc_shm {

void FailInForkedChild(grpc::experimental::InterceptorBatchMethods* methods) {
  using Point = grpc::experimental::InterceptionHookPoints;
  const TakenOperations operations(methods, ShownAgain::kYes);
  const bool finishes =
      methods->QueryInterceptionHookPoint(Point::PRE_RECV_STATUS);
  // Who gets the status need not hear of it twice.
  if (methods->QueryInterceptionHookPoint(Point::PRE_SEND_MESSAGE) && !finishes)
    operations.FailSend();
  if (methods->QueryInterceptionHookPoint(Point::PRE_RECV_MESSAGE))
    methods->FailHijackedRecvMessage();
  if (finishes) {
    *methods->GetRecvStatus() = grpc::Status(
        grpc::StatusCode::FAILED_PRECONDITION,
        "this process was forked from one that had used grpc-shm; exec a "
        "program in the child, or use it only after the fork");
  }
  operations.Complete();
}

}  // namespace grpc_shm
