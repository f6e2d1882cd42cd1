// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/shm_transport.h"

#include <unistd.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "transport/channel.h"
#include "transport/options.h"
#include "transport/server.h"

namespace grpc_shm::bench {
namespace {

constexpr absl::Duration kShutdownTimeout = absl::Seconds(1);

class ShmServer : public BenchmarkServer {
 public:
  ShmServer(std::unique_ptr<Server> server, std::string address)
      : server_(std::move(server)), address_(std::move(address)) {}
  ~ShmServer() override {
    server_->Shutdown(absl::ToChronoTime(absl::Now() + kShutdownTimeout));
  }

  std::string address() const override { return address_; }

 private:
  const std::unique_ptr<Server> server_;
  const std::string address_;
};

absl::StatusOr<std::unique_ptr<BenchmarkServer>> Serve(WaitPolicy policy,
                                                       grpc::Service* service) {
  std::string address = absl::StrCat("shm:rpc_benchmark.", getpid());
  ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(-1);
  ListenerOptions options;
  options.wait_policy = policy;
  builder.Listen(address, options);
  builder.RegisterService(service);
  absl::Status error;
  std::unique_ptr<Server> server = builder.BuildAndStart(&error);
  if (server == nullptr) return error;
  return std::make_unique<ShmServer>(std::move(server), std::move(address));
}

}  // namespace

template <WaitPolicy kPolicy>
absl::StatusOr<std::unique_ptr<BenchmarkServer>> ServeShm(
    const std::string& /*directory*/, grpc::Service* service) {
  return Serve(kPolicy, service);
}

template <WaitPolicy kPolicy>
std::shared_ptr<grpc::ChannelInterface> ConnectShm(
    const std::string& address, const grpc::ChannelArguments& arguments) {
  grpc::ChannelArguments with_policy = arguments;
  with_policy.SetInt(kWaitPolicyArg, static_cast<int>(kPolicy));
  return CreateChannel(address, /*creds=*/nullptr, with_policy);
}

template decltype(ServeShm<WaitPolicy::kNever>) ServeShm<WaitPolicy::kNever>;
template decltype(ServeShm<WaitPolicy::kAdaptive>)
    ServeShm<WaitPolicy::kAdaptive>;
template decltype(ServeShm<WaitPolicy::kBusy>) ServeShm<WaitPolicy::kBusy>;
template decltype(ConnectShm<WaitPolicy::kNever>)
    ConnectShm<WaitPolicy::kNever>;
template decltype(ConnectShm<WaitPolicy::kAdaptive>)
    ConnectShm<WaitPolicy::kAdaptive>;
template decltype(ConnectShm<WaitPolicy::kBusy>) ConnectShm<WaitPolicy::kBusy>;

}  // namespace grpc_shm::bench
