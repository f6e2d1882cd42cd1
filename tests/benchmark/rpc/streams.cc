// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "tests/benchmark/rpc/closed_loop.h"
#include "tests/benchmark/rpc/echo.grpc.pb.h"
#include "tests/benchmark/rpc/generic_client.h"
#include "tests/benchmark/rpc/grpc_status.h"
#include "tests/benchmark/rpc/payload.h"
#include "tests/benchmark/rpc/process_usage.h"
#include "tests/benchmark/rpc/scenarios.h"
#include "tests/benchmark/rpc/verification_time.h"

namespace grpc_shm::bench {
namespace {

class PingPongExchange : public Exchange {
 public:
  PingPongExchange(const std::shared_ptr<grpc::ChannelInterface>& channel,
                   size_t bytes)
      : stub_(Echo::NewStub(channel)),
        stream_(stub_->PingPong(&context_)),
        pattern_(bytes) {}

  void Prepare(uint64_t sequence) override {
    pattern_.Write(sequence, request_.mutable_data());
  }
  absl::Status Run() override {
    if (stream_->Write(request_) && stream_->Read(&reply_))
      return absl::OkStatus();
    absl::Status status = ToAbslStatus(stream_->Finish());
    return status.ok() ? absl::DataLossError("the stream ended early") : status;
  }
  absl::Status Verify(uint64_t sequence) override {
    return pattern_.Verify(sequence, reply_.data());
  }
  absl::Status Finish() override {
    stream_->WritesDone();
    return ToAbslStatus(stream_->Finish());
  }

 private:
  const std::unique_ptr<Echo::Stub> stub_;
  grpc::ClientContext context_;
  const std::unique_ptr<grpc::ClientReaderWriter<Payload, Payload>> stream_;
  const PayloadPattern pattern_;
  Payload request_;
  Payload reply_;
};

struct DownloadTimes {
  double seconds = 0;
  absl::Duration verification;
};

// Takes one stream of `count` messages.
absl::StatusOr<DownloadTimes> Download(Echo::Stub* stub,
                                       const PayloadPattern& pattern,
                                       uint64_t count) {
  const auto start = std::chrono::steady_clock::now();
  VerificationTime verification(pattern.bytes());
  grpc::ClientContext context;
  DownloadRequest request;
  request.set_bytes(pattern.bytes());
  request.set_count(count);
  const std::unique_ptr<grpc::ClientReader<Payload>> reader =
      stub->Download(&context, request);
  Payload message;
  uint64_t received = 0;
  for (; reader->Read(&message); ++received) {
    VerificationTime::Scope timed(&verification);
    if (absl::Status status = pattern.Verify(received, message.data());
        !status.ok()) {
      context.TryCancel();
      return status;
    }
  }
  if (absl::Status status = ToAbslStatus(reader->Finish()); !status.ok())
    return status;
  if (received != count) {
    return absl::DataLossError(
        absl::StrFormat("%d messages arrived instead of %d", received, count));
  }
  DownloadTimes times;
  times.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  times.verification = verification.total();
  return times;
}

}  // namespace

absl::StatusOr<Measurement> RunStreamPingPong(const Cell& cell) {
  auto channel = cell.connect(BenchmarkChannelArguments());
  if (!channel.ok()) return channel.status();
  std::vector<std::unique_ptr<Exchange>> exchanges;
  if (cell.client == Transport::Client::kGeneric) {
    exchanges.push_back(MakeGenericPingPongExchange(*channel, cell.bytes));
  } else {
    exchanges.push_back(
        std::make_unique<PingPongExchange>(*channel, cell.bytes));
  }
  return RunClosedLoop(cell, exchanges);
}

absl::StatusOr<Measurement> RunStreamDown(const Cell& cell) {
  auto channel = cell.connect(BenchmarkChannelArguments());
  if (!channel.ok()) return channel.status();
  const std::unique_ptr<Echo::Stub> stub = Echo::NewStub(*channel);
  const PayloadPattern pattern(cell.bytes);

  // Longer and longer streams warm up, and tell how long one lasts about as
  // long as asked for.
  const double warm_up_s = absl::ToDoubleSeconds(cell.timing.warm_up);
  uint64_t count = cell.timing.min_calls;
  absl::StatusOr<DownloadTimes> times = Download(stub.get(), pattern, count);
  while (times.ok() && times->seconds < warm_up_s) {
    count *= 2;
    times = Download(stub.get(), pattern, count);
  }
  if (!times.ok()) return times.status();
  const double rate = static_cast<double>(count) / times->seconds;
  count = std::max(
      cell.timing.min_calls,
      static_cast<uint64_t>(rate * absl::ToDoubleSeconds(cell.timing.measure)));

  UsageMeter meter(cell.server_pid);
  if (absl::Status status = meter.Reset(); !status.ok()) return status;
  times = Download(stub.get(), pattern, count);
  if (!times.ok()) return times.status();
  const absl::StatusOr<UsageMeter::Usage> usage = meter.Read();
  if (!usage.ok()) return usage.status();

  const auto messages = static_cast<double>(count);
  Measurement result;
  result.set_samples(count);
  result.set_per_s(messages / times->seconds);
  result.set_mb_per_s(messages * static_cast<double>(cell.bytes) /
                      times->seconds / 1e6);
  result.set_cpu_us_per_call(
      absl::ToDoubleMicroseconds(usage->cpu() - times->verification) /
      messages);
  return result;
}

}  // namespace grpc_shm::bench
