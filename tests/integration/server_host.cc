// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/server_host.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "grpcpp/health_check_service_interface.h"
#include "tests/integration/echo.grpc.pb.h"
#include "transport/stats.h"

namespace grpc_shm {
namespace testing {
namespace {

class Addition : public AdditionService::Service {
  grpc::Status Add(grpc::ServerContext*, const AddRequest* request,
                   AddReply* reply) override {
    reply->set_sum(request->left() + request->right());
    return grpc::Status::OK;
  }
};

bool UsesShmBuilder(const ServerConfig& config) {
  return !config.attach_listeners() &&
         std::any_of(config.addresses().begin(), config.addresses().end(),
                     IsShmAddress);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerHost>> ServerHost::Start(
    const ServerConfig& config) {
  // Set or not, it counts for all servers that the process builds from now on.
  grpc::EnableDefaultHealthCheckService(config.default_health_check());
  auto host = std::unique_ptr<ServerHost>(new ServerHost);
  host->echo_ = MakeEcho(config.flavour(), &host->observer_);
  if (!config.without_addition_service()) {
    host->addition_ = std::make_unique<Addition>();
  }
  ServerParts parts{host->echo_.get(), host->addition_.get(), nullptr};
  absl::StatusOr<std::unique_ptr<RunningServer>> server =
      UsesShmBuilder(config) ? StartWithShmBuilder(config, &parts)
                             : StartWithGrpcBuilder(config, &parts);
  if (!server.ok()) {
    if (parts.queue != nullptr) {
      parts.queue->Shutdown();
      void* tag;
      bool ok;
      while (parts.queue->Next(&tag, &ok)) {
      }
    }
    return server.status();
  }
  host->server_ = *std::move(server);
  host->echo_->Start(std::move(parts.queue));
  return host;
}

ServerHost::~ServerHost() {
  if (shutdown_.joinable()) shutdown_.join();
  if (server_ == nullptr) return;
  server_->Shutdown(absl::InfinitePast());
  echo_->Stop();
  server_.reset();
}

ControlReply ServerHost::Handle(const ControlRequest& request) {
  ControlReply reply;
  switch (request.command_case()) {
    case ControlRequest::kAwaitEvent: {
      const AwaitEvent& await = request.await_event();
      if (await.key() == "process") {  // "lost wake-ups"
        reply.set_count(static_cast<int64_t>(LostWakeups()));
        break;
      }
      const Observer::Record record =
          observer_.Await(await.key(), await.event(), await.count(),
                          absl::Milliseconds(await.timeout_ms()));
      reply.set_count(record.count);
      reply.set_monotonic_ns(record.last_ns);
      break;
    }
    case ControlRequest::kOpenGate:
      observer_.OpenGate(request.open_gate());
      break;
    case ControlRequest::kShutdown: {
      const int64_t grace_ms = request.shutdown().grace_ms();
      const absl::Time deadline =
          grace_ms == 0 ? absl::InfiniteFuture()
                        : absl::Now() + absl::Milliseconds(grace_ms);
      if (shutdown_.joinable()) shutdown_.join();
      shutdown_ = std::thread([this, deadline] {
        server_->Shutdown(deadline);
        observer_.Note("server", "shutdown");
      });
      break;
    }
    case ControlRequest::kSetHealth:
      grpc_server()->GetHealthCheckService()->SetServingStatus(
          request.set_health().service(), request.set_health().serving());
      break;
    default:
      reply.set_code(static_cast<int>(absl::StatusCode::kInvalidArgument));
      reply.set_message("not a command for a server");
  }
  return reply;
}

}  // namespace testing
}  // namespace grpc_shm
