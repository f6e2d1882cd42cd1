// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/stress/mixed_load.h"

#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/types/optional.h"
#include "tests/integration/payload.h"
#include "tests/integration/steps.h"
#include "tests/stress/raw_messages.h"
#include "transport/channel.h"
#include "transport/options.h"

namespace grpc_shm {
namespace testing {
namespace {

constexpr absl::Duration kHang = absl::Minutes(1);
constexpr size_t kMaxErrors = 10;

using Random = std::minstd_rand;

size_t Pick(Random& random, size_t count) {
  return std::uniform_int_distribution<size_t>(0, count - 1)(random);
}

// Mostly small, now and then larger than a ring.
size_t PickBytes(Random& random) {
  switch (Pick(random, 16)) {
    case 0:
      return 0;
    case 1:
      return Pick(random, 600000);
    case 2:
    case 3:
      return Pick(random, 40000);
    default:
      return Pick(random, 2000);
  }
}

// Which way calls go, on the client's side.
ChannelPtr NewChannel(const std::string& target, Random& random) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(kTypedCallsArg, static_cast<int>(Pick(random, 2)));
  arguments.SetInt(kRingBytesArg, 16 << (10 + 2 * Pick(random, 3)));
  return CreateChannel(target, nullptr, arguments);
}

bool IsReply(const EchoReply& reply, size_t bytes, uint32_t seed) {
  return IsPayload(reply.payload(), bytes, seed);
}

// What came of a call before its status. `wrong` matters whatever that is,
// `missing` only if it is OK.
struct Outcome {
  std::string wrong;
  std::string missing;
};

Outcome ReadReplies(ClientCall* call, size_t replies, size_t bytes,
                    uint32_t seed) {
  Outcome outcome;
  for (size_t i = 0;; ++i) {
    EchoReply reply;
    if (!call->Read(&reply)) {
      if (i < replies)
        outcome.missing = absl::StrCat(i, " of ", replies, " replies");
      return outcome;
    }
    if (i >= replies || !IsReply(reply, bytes, seed + i))
      outcome.wrong = absl::StrCat("reply ", i, " of ", replies, " is wrong");
  }
}

EchoRequest Request(size_t bytes, uint32_t seed) {
  EchoRequest request;
  request.set_payload(MakePayload(bytes, seed));
  return request;
}

Outcome RunBidi(ClientCall* call, size_t messages, size_t bytes,
                uint32_t seed) {
  Outcome outcome;
  for (size_t i = 0; i < messages; ++i) {
    EchoReply reply;
    if (!call->Write(Request(bytes, seed + i)) || !call->Read(&reply)) {
      outcome.missing = absl::StrCat(i, " of ", messages, " echoes");
      return outcome;
    }
    if (!IsReply(reply, bytes, seed + i))
      outcome.wrong = absl::StrCat("echo ", i, " is wrong");
  }
  call->WritesDone();
  EchoReply none;
  if (call->Read(&none)) outcome.wrong = "an echo of nothing";
  return outcome;
}

Outcome RunClientStream(ClientCall* call, size_t messages, size_t bytes,
                        uint32_t seed) {
  Outcome outcome;
  for (size_t i = 0; i < messages; ++i) {
    if (!call->Write(Request(bytes, seed + i))) break;
  }
  call->WritesDone();
  EchoReply reply;
  if (!call->Read(&reply)) {
    outcome.missing = "no reply";
  } else if (reply.summary().messages() != messages ||
             reply.summary().bytes() != messages * bytes) {
    outcome.wrong = absl::StrCat("it counted ", reply.summary().messages(),
                                 " messages of ", messages);
  }
  return outcome;
}

}  // namespace

MixedLoad::MixedLoad(const Options& options) : options_(options) {
  for (int i = 0; i < options.threads; ++i)
    threads_.emplace_back([this, i] { Run(options_.seed * 1000 + i); });
}

MixedLoad::~MixedLoad() { Stop(); }

MixedLoad::Totals MixedLoad::Stop() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  absl::MutexLock lock(&mu_);
  return totals_;
}

void MixedLoad::Run(uint32_t seed) {
  Random random(seed + 1);
  std::vector<ChannelPtr> channels;
  for (const std::string& target : options_.targets)
    channels.push_back(NewChannel(target, random));
  absl::optional<RawMessages> raw;
  if (!options_.mailbox.empty()) raw.emplace(options_.mailbox);
  while (!stop_) {
    if (raw.has_value()) {
      const absl::Status exchanged = raw->Exchange(random());
      absl::MutexLock lock(&mu_);
      if (!exchanged.ok())
        AddError(absl::StrCat("raw messages: ", exchanged.ToString()));
    }
    ChannelPtr& channel = channels[Pick(random, channels.size())];
    if (options_.makes_channels && Pick(random, 200) == 0) {
      const size_t target = Pick(random, options_.targets.size());
      channel = NewChannel(options_.targets[target], random);
    }
    Call(random(), channel);
    calls_.fetch_add(1, std::memory_order_relaxed);
  }
  absl::MutexLock lock(&mu_);
  if (raw.has_value()) totals_.messages += raw->received();
}

void MixedLoad::Call(uint32_t seed, const ChannelPtr& channel) {
  Random random(seed);
  grpc::ClientContext context;
  const absl::Time start = absl::Now();
  context.set_deadline(absl::ToChronoTime(start + kHang));
  context.set_wait_for_ready(Pick(random, 2) == 0);
  const StubFlavour flavour = kAllStubFlavours[Pick(random, 5)];
  const CallKind kind = static_cast<CallKind>(Pick(random, 4));
  const size_t bytes = PickBytes(random);
  const size_t messages = 1 + Pick(random, bytes > 10000 ? 3 : 10);
  const bool cancels = Pick(random, 20) == 0;

  if (kind == SERVER_STREAM) {
    std::vector<Step> steps;
    for (size_t i = 0; i < messages; ++i)
      steps.push_back(WritePattern(bytes, seed + i));
    Script script;
    for (const Step& step : steps) *script.add_steps() = step;
    context.AddMetadata("script-bin", script.SerializeAsString());
  }
  Outcome outcome;
  grpc::Status status;
  {
    auto call =
        StartCall(flavour, kind, channel, &context, Request(bytes, seed));
    std::thread canceller;
    if (cancels) canceller = std::thread([&context] { context.TryCancel(); });
    switch (kind) {
      case UNARY:
        outcome = ReadReplies(call.get(), 1, bytes, seed);
        break;
      case SERVER_STREAM:
        outcome = ReadReplies(call.get(), messages, bytes, seed);
        break;
      case CLIENT_STREAM:
        outcome = RunClientStream(call.get(), messages, bytes, seed);
        break;
      default:
        outcome = RunBidi(call.get(), messages, bytes, seed);
    }
    if (canceller.joinable()) canceller.join();
    status = call->Finish();
  }
  std::string error = outcome.wrong;
  if (error.empty() && status.ok()) error = outcome.missing;
  if (!error.empty()) {
    error = absl::StrCat("call of kind ", static_cast<int>(kind), " by a ",
                         StubFlavourName(flavour), " stub, ", messages,
                         " messages of ", bytes, " bytes: ", error);
  }
  Count(status, cancels, error);
}

void MixedLoad::Count(const grpc::Status& status, bool cancelled,
                      const std::string& error) {
  std::string wrong = error;
  absl::MutexLock lock(&mu_);
  if (status.ok()) {
    ++totals_.succeeded;
  } else if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    ++totals_.unavailable;
  } else if (status.error_code() == grpc::StatusCode::CANCELLED && cancelled) {
    ++totals_.cancelled;
  } else if (wrong.empty()) {
    wrong = absl::StrCat("status ", status.error_code(), ": ",
                         status.error_message());
  }
  if (!wrong.empty()) AddError(wrong);
}

void MixedLoad::AddError(const std::string& error) {
  ++totals_.error_count;
  if (totals_.errors.size() < kMaxErrors) totals_.errors.push_back(error);
}

}  // namespace testing
}  // namespace grpc_shm
