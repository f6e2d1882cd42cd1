// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/echo_implementation.h"

namespace grpc_shm {
namespace testing {

std::unique_ptr<EchoImplementation> MakeEcho(ServiceFlavour flavour,
                                             Observer* observer) {
  switch (flavour) {
    case ASYNC:
      return MakeAsyncEcho(observer);
    case CALLBACK:
      return MakeCallbackEcho(observer);
    case ASYNC_GENERIC:
      return MakeAsyncGenericEcho(observer);
    case CALLBACK_GENERIC:
      return MakeCallbackGenericEcho(observer);
    default:
      return MakeSyncEcho(observer);
  }
}

}  // namespace testing
}  // namespace grpc_shm
