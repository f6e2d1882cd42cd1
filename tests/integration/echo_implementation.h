// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_ECHO_IMPLEMENTATION_H_
#define GRPC_SHM_TESTS_INTEGRATION_ECHO_IMPLEMENTATION_H_

#include <memory>
#include <string>

#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/impl/codegen/service_type.h"
#include "tests/integration/control.pb.h"
#include "tests/integration/observer.h"

namespace grpc_shm {
namespace testing {

// EchoService written with one of gRPC's server APIs. All of them answer a call
// by RunScript, so they differ in nothing but the API.
//
// Of the three kinds of service exactly one is non-null. Set-up: register it
// with a builder, with a completion queue if wanted; then Start; Stop after the
// server's Shutdown has returned.
class EchoImplementation {
 public:
  virtual ~EchoImplementation() = default;
  virtual grpc::Service* service() { return nullptr; }
  virtual grpc::AsyncGenericService* generic_service() { return nullptr; }
  virtual grpc::CallbackGenericService* callback_generic_service() {
    return nullptr;
  }
  virtual bool needs_completion_queue() const { return false; }
  virtual void Start(std::unique_ptr<grpc::ServerCompletionQueue>) {}
  virtual void Stop() {}
};

std::unique_ptr<EchoImplementation> MakeSyncEcho(Observer* observer);
std::unique_ptr<EchoImplementation> MakeAsyncEcho(Observer* observer);
std::unique_ptr<EchoImplementation> MakeCallbackEcho(Observer* observer);
std::unique_ptr<EchoImplementation> MakeAsyncGenericEcho(Observer* observer);
std::unique_ptr<EchoImplementation> MakeCallbackGenericEcho(Observer* observer);

std::unique_ptr<EchoImplementation> MakeEcho(ServiceFlavour flavour,
                                             Observer* observer);

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_ECHO_IMPLEMENTATION_H_
