// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/unary.h"

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/benchmark/rpc/echo.grpc.pb.h"
#include "tests/benchmark/rpc/generic_client.h"
#include "tests/benchmark/rpc/grpc_status.h"
#include "tests/benchmark/rpc/payload.h"
#include "tests/benchmark/rpc/scenarios.h"

namespace grpc_shm::bench {
namespace {

class UnaryExchange : public Exchange {
 public:
  UnaryExchange(const std::shared_ptr<grpc::ChannelInterface>& channel,
                size_t bytes)
      : stub_(Echo::NewStub(channel)), pattern_(bytes) {}

  void Prepare(uint64_t sequence) override {
    pattern_.Write(sequence, request_.mutable_data());
  }
  absl::Status Run() override {
    grpc::ClientContext context;
    return ToAbslStatus(stub_->Unary(&context, request_, &reply_));
  }
  absl::Status Verify(uint64_t sequence) override {
    return pattern_.Verify(sequence, reply_.data());
  }

 private:
  const std::unique_ptr<Echo::Stub> stub_;
  const PayloadPattern pattern_;
  Payload request_;
  Payload reply_;
};

absl::StatusOr<Measurement> RunOverOneChannel(const Cell& cell,
                                              absl::Duration pause) {
  auto channel = cell.connect(BenchmarkChannelArguments());
  if (!channel.ok()) return channel.status();
  std::vector<std::unique_ptr<Exchange>> exchanges;
  for (int thread = 0; thread < cell.threads; ++thread) {
    exchanges.push_back(MakeUnaryExchange(cell, *channel));
  }
  return RunClosedLoop(cell, exchanges, pause);
}

}  // namespace

std::unique_ptr<Exchange> MakeUnaryExchange(
    const Cell& cell, const std::shared_ptr<grpc::ChannelInterface>& channel) {
  if (cell.client == Transport::Client::kGeneric)
    return MakeGenericUnaryExchange(channel, cell.bytes);
  return std::make_unique<UnaryExchange>(channel, cell.bytes);
}

absl::StatusOr<Measurement> RunUnary(const Cell& cell) {
  return RunOverOneChannel(cell, absl::ZeroDuration());
}

absl::StatusOr<Measurement> RunUnaryThreads(const Cell& cell) {
  return RunOverOneChannel(cell, absl::ZeroDuration());
}

absl::StatusOr<Measurement> RunUnarySparse(const Cell& cell) {
  absl::StatusOr<Measurement> result = RunOverOneChannel(cell, kSparsePause);
  if (result.ok()) result->clear_per_s();  // It says how long the pauses are.
  return result;
}

}  // namespace grpc_shm::bench
