// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_ECHO_METHODS_H_
#define GRPC_SHM_TESTS_INTEGRATION_ECHO_METHODS_H_

#include <string>

#include "tests/integration/control.pb.h"

namespace grpc_shm {
namespace testing {

// For generic stubs and services: the full name ("/package.Service/Method") of
// EchoService's method of that kind.
std::string MethodOfKind(CallKind kind);

// The reverse; false if no method has that name.
bool KindOfMethod(const std::string& method, CallKind* kind);

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_ECHO_METHODS_H_
