// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/client_call.h"

namespace grpc_shm {
namespace testing {

std::string StubFlavourName(StubFlavour flavour) {
  switch (flavour) {
    case StubFlavour::kAsync:
      return "async";
    case StubFlavour::kCallback:
      return "callback";
    case StubFlavour::kGeneric:
      return "generic";
    case StubFlavour::kCallbackGeneric:
      return "callback_generic";
    default:
      return "sync";
  }
}

std::unique_ptr<ClientCall> StartCall(StubFlavour flavour, CallKind kind,
                                      const ChannelPtr& channel,
                                      grpc::ClientContext* context,
                                      const EchoRequest& request) {
  switch (flavour) {
    case StubFlavour::kAsync:
      return StartAsyncCall(kind, channel, context, request);
    case StubFlavour::kCallback:
      return StartCallbackCall(kind, channel, context, request);
    case StubFlavour::kGeneric:
      return StartGenericCall(kind, channel, context, request);
    case StubFlavour::kCallbackGeneric:
      return StartCallbackGenericCall(kind, channel, context, request);
    default:
      return StartSyncCall(kind, channel, context, request);
  }
}

}  // namespace testing
}  // namespace grpc_shm
