// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_RUNNING_SERVER_H_
#define GRPC_SHM_TESTS_INTEGRATION_RUNNING_SERVER_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/impl/codegen/service_type.h"
#include "grpcpp/server.h"
#include "tests/integration/control.pb.h"
#include "tests/integration/echo_implementation.h"
#include "transport/mailbox.h"
#include "transport/options.h"

namespace grpc_shm {
namespace testing {

// A started server, whichever builder built it. The destructor shuts it down
// without grace.
class RunningServer {
 public:
  virtual ~RunningServer() = default;
  // Returns when every call has ended; those that run at `deadline` are
  // cancelled.
  virtual void Shutdown(absl::Time deadline) = 0;
  virtual grpc::Server* grpc_server() = 0;
};

// What both builders are given.
struct ServerParts {
  EchoImplementation* echo;
  grpc::Service* addition;  // may be null
  // Out: set if the implementation wants one.
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
};

// With grpc::ServerBuilder, and grpc_shm::Listener for "shm:" and "mailbox:"
// addresses. A mailbox is made if there is none.
absl::StatusOr<std::unique_ptr<RunningServer>> StartWithGrpcBuilder(
    const ServerConfig& config, ServerParts* parts);

// With grpc_shm::ServerBuilder.
absl::StatusOr<std::unique_ptr<RunningServer>> StartWithShmBuilder(
    const ServerConfig& config, ServerParts* parts);

// "shm:" or "mailbox:".
bool IsShmAddress(const std::string& address);
bool IsMailboxAddress(const std::string& address);
// Of a mailbox that a server makes.
MailboxOptions TestMailboxOptions();
ListenerOptions ListenerOptionsOf(const ServerConfig& config);

// The common part: everything but the addresses.
template <class Builder>
void Configure(const ServerConfig& config, ServerParts* parts,
               Builder* builder) {
  if (parts->echo->service() != nullptr) {
    builder->RegisterService(parts->echo->service());
  }
  if (parts->echo->generic_service() != nullptr) {
    builder->RegisterAsyncGenericService(parts->echo->generic_service());
  }
  if (parts->echo->callback_generic_service() != nullptr) {
    builder->RegisterCallbackGenericService(
        parts->echo->callback_generic_service());
  }
  if (parts->addition != nullptr) builder->RegisterService(parts->addition);
  if (parts->echo->needs_completion_queue()) {
    parts->queue = builder->AddCompletionQueue();
  }
  if (config.max_receive_message_bytes() != 0) {
    builder->SetMaxReceiveMessageSize(config.max_receive_message_bytes());
  }
  if (config.max_send_message_bytes() != 0) {
    builder->SetMaxSendMessageSize(config.max_send_message_bytes());
  }
  if (config.max_metadata_bytes() != 0) {
    builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE,
                                config.max_metadata_bytes());
  }
  if (config.default_compression_algorithm() != 0) {
    builder->SetDefaultCompressionAlgorithm(
        static_cast<grpc_compression_algorithm>(
            config.default_compression_algorithm()));
  }
}

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_RUNNING_SERVER_H_
