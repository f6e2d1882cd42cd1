// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_GRPC_FORKED_CALL_H_
#define GRPC_SHM_TRANSPORT_GRPC_FORKED_CALL_H_

#include <grpcpp/support/interceptor.h>

namespace grpc_shm {

// In a forked child: completes operations of a call, its own or its parent's,
// as failed, with FAILED_PRECONDITION. Takes no lock that a thread of the
// parent's could have held during fork(): not even the call is touched.
// `methods` as shown to Intercept(), on the way to the core; gone after this.
void FailInForkedChild(grpc::experimental::InterceptorBatchMethods* methods);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_GRPC_FORKED_CALL_H_
