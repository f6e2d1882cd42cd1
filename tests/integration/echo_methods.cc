// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/echo_methods.h"

namespace grpc_shm {
namespace testing {

std::string MethodOfKind(CallKind kind) {
  const char* method = "Unary";
  if (kind == CLIENT_STREAM) method = "ClientStream";
  if (kind == SERVER_STREAM) method = "ServerStream";
  if (kind == BIDI) method = "Bidi";
  return std::string("/grpc_shm.testing.EchoService/") + method;
}

bool KindOfMethod(const std::string& method, CallKind* kind) {
  for (CallKind candidate : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
    if (method != MethodOfKind(candidate)) continue;
    *kind = candidate;
    return true;
  }
  return false;
}

}  // namespace testing
}  // namespace grpc_shm
