// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_CLIENT_CALL_H_
#define GRPC_SHM_TESTS_INTEGRATION_CLIENT_CALL_H_

#include <memory>
#include <string>

#include "grpcpp/client_context.h"
#include "grpcpp/impl/codegen/channel_interface.h"
#include "tests/integration/control.pb.h"
#include "tests/integration/echo.pb.h"

namespace grpc_shm {
namespace testing {

using ChannelPtr = std::shared_ptr<grpc::ChannelInterface>;

// The API with which a client makes a call.
enum class StubFlavour { kSync, kAsync, kCallback, kGeneric, kCallbackGeneric };

inline constexpr StubFlavour kAllStubFlavours[] = {
    StubFlavour::kSync, StubFlavour::kAsync, StubFlavour::kCallback,
    StubFlavour::kGeneric, StubFlavour::kCallbackGeneric};

std::string StubFlavourName(StubFlavour flavour);

// One call as a client makes it, whatever API it uses: every operation blocks
// until it is done. Calls that carry a single request have sent it when they
// start (but a sync or async unary stub sends nothing before Read or Finish); a
// single reply is read like a stream of one. Write and Read may be called by
// one thread each.
class ClientCall {
 public:
  virtual ~ClientCall() = default;
  // A stub with a single reply has no such operation where the API is
  // synchronous or a callback: false.
  virtual bool WaitForInitialMetadata() { return false; }
  virtual bool Write(const EchoRequest&) { return false; }
  virtual bool WritesDone() { return false; }
  virtual bool Read(EchoReply* reply) = 0;
  // Once, after the last Read.
  virtual grpc::Status Finish() = 0;
};

// `request` is sent by the kinds of call that have a single one. The context
// must outlive the call.
std::unique_ptr<ClientCall> StartCall(StubFlavour flavour, CallKind kind,
                                      const ChannelPtr& channel,
                                      grpc::ClientContext* context,
                                      const EchoRequest& request = {});

// Per API; see StartCall.
std::unique_ptr<ClientCall> StartSyncCall(CallKind kind,
                                          const ChannelPtr& channel,
                                          grpc::ClientContext* context,
                                          const EchoRequest& request);
std::unique_ptr<ClientCall> StartAsyncCall(CallKind kind,
                                           const ChannelPtr& channel,
                                           grpc::ClientContext* context,
                                           const EchoRequest& request);
std::unique_ptr<ClientCall> StartCallbackCall(CallKind kind,
                                              const ChannelPtr& channel,
                                              grpc::ClientContext* context,
                                              const EchoRequest& request);
std::unique_ptr<ClientCall> StartGenericCall(CallKind kind,
                                             const ChannelPtr& channel,
                                             grpc::ClientContext* context,
                                             const EchoRequest& request);
std::unique_ptr<ClientCall> StartCallbackGenericCall(
    CallKind kind, const ChannelPtr& channel, grpc::ClientContext* context,
    const EchoRequest& request);

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_CLIENT_CALL_H_
