// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "tests/benchmark/rpc/echo.grpc.pb.h"
#include "tests/benchmark/rpc/generic_client.h"
#include "tests/benchmark/rpc/grpc_status.h"
#include "tests/benchmark/rpc/payload.h"
#include "tests/benchmark/rpc/process_usage.h"
#include "tests/benchmark/rpc/scenarios.h"
#include "tests/benchmark/rpc/statistics.h"

namespace grpc_shm::bench {
namespace {

constexpr uint64_t kOutstanding = 64;

using Clock = std::chrono::steady_clock;

// The two ways to make a call; what arrives is a `Reply`.
class GeneratedCaller {
 public:
  using Reply = Payload;

  explicit GeneratedCaller(
      const std::shared_ptr<grpc::ChannelInterface>& channel)
      : stub_(Echo::NewStub(channel)) {}

  std::unique_ptr<grpc::ClientAsyncResponseReader<Reply>> Start(
      const Payload& request, grpc::ClientContext* context,
      grpc::CompletionQueue* queue) {
    return stub_->AsyncUnary(context, request, queue);
  }
  static absl::Status Parse(Reply* reply, Payload* message) {
    message->Swap(reply);
    return absl::OkStatus();
  }

 private:
  const std::unique_ptr<Echo::Stub> stub_;
};

class GenericCaller {
 public:
  using Reply = grpc::ByteBuffer;

  explicit GenericCaller(const std::shared_ptr<grpc::ChannelInterface>& channel)
      : stub_(channel) {}

  std::unique_ptr<grpc::ClientAsyncResponseReader<Reply>> Start(
      const Payload& request, grpc::ClientContext* context,
      grpc::CompletionQueue* queue) {
    auto call =
        stub_.PrepareUnaryCall(context, kUnaryMethod, ToBytes(request), queue);
    call->StartCall();
    return call;
  }
  static absl::Status Parse(Reply* reply, Payload* message) {
    return FromBytes(reply, message);
  }

 private:
  grpc::GenericStub stub_;
};

// One of the calls that are outstanding; its address is the tag.
template <class Reply>
struct PendingCall {
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Reply>> reader;
  Payload request;
  Reply reply;
  grpc::Status status;
  uint64_t sequence = 0;
  Clock::time_point start;
};

// Keeps kOutstanding calls outstanding. One thread.
template <class Caller>
class AsyncClient {
 public:
  AsyncClient(const std::shared_ptr<grpc::ChannelInterface>& channel,
              size_t bytes)
      : caller_(channel), pattern_(bytes), calls_(kOutstanding) {
    for (Call& call : calls_) Start(&call);
  }
  // Cancels what is outstanding still.
  ~AsyncClient() {
    for (Call& call : calls_) call.context->TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  // Replaces each call that ends by a new one for `time`, at least `min_calls`
  // times.
  absl::Status Repeat(absl::Duration time, uint64_t min_calls,
                      std::vector<double>* latencies_us) {
    latencies_us->clear();
    const Clock::time_point end =
        Clock::now() + absl::ToChronoNanoseconds(time);
    while (Clock::now() < end || latencies_us->size() < min_calls) {
      const absl::StatusOr<Call*> call = Await(latencies_us);
      if (!call.ok()) return call.status();
      Start(*call);
    }
    return absl::OkStatus();
  }

 private:
  using Call = PendingCall<typename Caller::Reply>;

  void Start(Call* call) {
    call->sequence = next_sequence_++;
    pattern_.Write(call->sequence, call->request.mutable_data());
    call->start = Clock::now();
    call->reader.reset();  // its memory is the context's
    call->context = std::make_unique<grpc::ClientContext>();
    call->reader = caller_.Start(call->request, call->context.get(), &queue_);
    call->reader->Finish(&call->reply, &call->status, call);
  }

  // Waits for a call to end, adds its latency to `latencies_us`, and verifies
  // its reply.
  absl::StatusOr<Call*> Await(std::vector<double>* latencies_us) {
    void* tag = nullptr;
    bool ok = false;
    if (!queue_.Next(&tag, &ok))
      return absl::InternalError("the completion queue ended by itself");
    auto* const call = static_cast<Call*>(tag);
    absl::Status status = call->status.ok()
                              ? Caller::Parse(&call->reply, &message_)
                              : ToAbslStatus(call->status);
    latencies_us->push_back(
        std::chrono::duration<double, std::micro>(Clock::now() - call->start)
            .count());
    if (status.ok()) status = pattern_.Verify(call->sequence, message_.data());
    if (!status.ok()) return status;
    return call;
  }

  Caller caller_;
  const PayloadPattern pattern_;
  std::vector<Call> calls_;
  grpc::CompletionQueue queue_;
  Payload message_;  // the last reply
  uint64_t next_sequence_ = 0;
};

template <class Caller>
absl::StatusOr<Measurement> Run(const Cell& cell) {
  auto channel = cell.connect(BenchmarkChannelArguments());
  if (!channel.ok()) return channel.status();
  AsyncClient<Caller> client(*channel, cell.bytes);
  std::vector<double> latencies_us;
  if (absl::Status status =
          client.Repeat(cell.timing.warm_up, kOutstanding, &latencies_us);
      !status.ok()) {
    return status;
  }

  UsageMeter meter(cell.server_pid);
  if (absl::Status status = meter.Reset(); !status.ok()) return status;
  const absl::Time start = absl::Now();
  if (absl::Status status = client.Repeat(cell.timing.measure,
                                          cell.timing.min_calls, &latencies_us);
      !status.ok()) {
    return status;
  }
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  const absl::StatusOr<UsageMeter::Usage> usage = meter.Read();
  if (!usage.ok()) return usage.status();

  const auto ended = static_cast<double>(latencies_us.size());
  Measurement result;
  result.set_samples(latencies_us.size());
  result.set_per_s(ended / seconds);
  result.set_mb_per_s(ended * static_cast<double>(cell.bytes) / seconds / 1e6);
  result.set_cpu_us_per_call(absl::ToDoubleMicroseconds(usage->cpu()) / ended);
  result.set_p50_us(Percentile(0.50, &latencies_us));
  result.set_p99_us(Percentile(0.99, &latencies_us));
  return result;
}

}  // namespace

absl::StatusOr<Measurement> RunUnaryAsync(const Cell& cell) {
  return cell.client == Transport::Client::kGeneric
             ? Run<GenericCaller>(cell)
             : Run<GeneratedCaller>(cell);
}

}  // namespace grpc_shm::bench
