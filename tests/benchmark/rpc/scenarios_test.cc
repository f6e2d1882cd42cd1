// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/scenarios.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <memory>
#include <string>
#include <utility>

#include "tests/benchmark/rpc/echo_service.h"
#include "tests/benchmark/rpc/temporary_directory.h"

namespace grpc_shm::bench {
namespace {

// As little as makes each scenario do everything that it does; too little for
// figures.
Timing Brief() {
  Timing timing;
  timing.warm_up = absl::ZeroDuration();
  timing.measure = absl::Milliseconds(1);
  timing.idle = absl::Milliseconds(1);
  timing.min_calls = 2;
  timing.idle_links = 3;
  return timing;
}

// Spoils what the true service answers, in a way that only a look at the
// contents finds, or at their number.
class LyingService : public Echo::Service {
 public:
  grpc::Status Unary(grpc::ServerContext* /*context*/, const Payload* request,
                     Payload* reply) override {
    reply->set_data(request->data());
    if (reply->data().empty()) {
      reply->set_data("x");
    } else {
      reply->mutable_data()->back() ^= 1;
    }
    return grpc::Status::OK;
  }
  // Returns the first message again and again.
  grpc::Status PingPong(
      grpc::ServerContext* /*context*/,
      grpc::ServerReaderWriter<Payload, Payload>* stream) override {
    Payload first;
    Payload message;
    for (stream->Read(&first);
         stream->Write(first) && stream->Read(&message);) {
    }
    return grpc::Status::OK;
  }
  // Forgets the last message.
  grpc::Status Download(grpc::ServerContext* context,
                        const DownloadRequest* request,
                        grpc::ServerWriter<Payload>* writer) override {
    DownloadRequest shorter = *request;
    shorter.set_count(request->count() - 1);
    return truthful_.Download(context, &shorter, writer);
  }

 private:
  EchoService truthful_;
};

// Has no method.
class EmptyService : public Echo::Service {};

// A `Service` and a server in this process that carries it.
template <class Service>
class Running {
 public:
  Running() {
    auto server = FindTransport("inproc")->serve(/*directory=*/"", &service_);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  absl::StatusOr<Measurement> Run(
      const Scenario& scenario,
      Transport::Client client = Transport::Client::kGenerated) {
    Cell cell;
    cell.client = client;
    cell.connect = ConnectorTo(server_.get());
    cell.timing = Brief();
    cell.bytes = scenario.bytes.value_or(0);
    cell.threads = scenario.threads.value_or(1);
    return scenario.run(cell);
  }

 private:
  Service service_;  // outlives the server
  std::unique_ptr<BenchmarkServer> server_;
};

TEST(Scenarios, EachMeasuresWhatAppliesToIt) {
  for (const Scenario& scenario : Scenarios()) {
    SCOPED_TRACE(std::string(scenario.name));
    const auto result = Running<EchoService>().Run(scenario);
    ASSERT_TRUE(result.ok()) << result.status();
    const bool idle = scenario.name == "idle";
    const bool download = scenario.name == "stream_down";
    const bool sparse = scenario.name == "unary_sparse";
    EXPECT_GT(result->samples(), 0u);
    EXPECT_EQ(result->has_p50_us(), !idle && !download);
    EXPECT_EQ(result->has_p99_us(), !idle && !download);
    EXPECT_LE(result->p50_us(), result->p99_us());
    EXPECT_EQ(result->has_per_s(), !idle && !sparse);
    EXPECT_EQ(result->has_mb_per_s(), scenario.bytes.value_or(0) > 0);
    EXPECT_EQ(result->has_cpu_us_per_call(), !idle);
    EXPECT_EQ(result->has_idle_cpu_ms(), idle);
    EXPECT_EQ(result->has_ratio_to_alone(),
              scenario.name == "unary_idle_links");
    EXPECT_EQ(result->has_beside_cpu_percent(),
              scenario.name == "unary_contended");
  }
}

TEST(Scenarios, AGenericClientMeasuresTheSame) {
  for (const Scenario& scenario : Scenarios()) {
    if (!scenario.has_generic) continue;
    SCOPED_TRACE(std::string(scenario.name));
    const auto client = Transport::Client::kGeneric;
    const auto result = Running<EchoService>().Run(scenario, client);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_GT(result->p50_us(), 0);
    EXPECT_EQ(Running<LyingService>().Run(scenario, client).status().code(),
              absl::StatusCode::kDataLoss);
    EXPECT_EQ(Running<EmptyService>().Run(scenario, client).status().code(),
              absl::StatusCode::kUnimplemented);
  }
}

TEST(Scenarios, NameTransportsThatThereAre) {
  for (const Scenario& scenario : Scenarios()) {
    SCOPED_TRACE(std::string(scenario.name));
    for (absl::string_view name : scenario.transports) {
      const Transport* const transport = FindTransport(name);
      ASSERT_NE(transport, nullptr) << name;
      EXPECT_TRUE(TakesByDefault(scenario, *transport));
    }
  }
}

TEST(Scenarios, VariantsAreMeasuredWhereTheyAreNamedAlone) {
  const Transport& never = *FindTransport("shm_never");
  for (const Scenario& scenario : Scenarios()) {
    EXPECT_TRUE(Takes(scenario, never));
    EXPECT_EQ(TakesByDefault(scenario, never),
              scenario.name == "unary_contended");
  }
}

TEST(Scenarios, TheFloorNeedsNoServer) {
  for (const Scenario& scenario : Scenarios()) {
    if (scenario.floor == nullptr) continue;
    Cell cell;
    cell.timing = Brief();
    cell.bytes = *scenario.bytes;
    const auto result = scenario.floor(cell);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_GT(result->p50_us(), 0);
  }
}

TEST(Scenarios, NoneBelievesAWrongReply) {
  for (const Scenario& scenario : Scenarios()) {
    if (scenario.name == "idle") continue;
    SCOPED_TRACE(std::string(scenario.name));
    EXPECT_EQ(Running<LyingService>().Run(scenario).status().code(),
              absl::StatusCode::kDataLoss);
  }
}

TEST(Scenarios, EachReportsAFailedCall) {
  for (const Scenario& scenario : Scenarios()) {
    SCOPED_TRACE(std::string(scenario.name));
    EXPECT_EQ(Running<EmptyService>().Run(scenario).status().code(),
              absl::StatusCode::kUnimplemented);
  }
}

TEST(Scenarios, EveryTransportCarriesThem) {
  const TemporaryDirectory directory;
  setenv("GRPC_SHM_DIR", directory.path().c_str(), 1);
  EchoService service;
  for (const Transport& transport : Transports()) {
    if (transport.kind != Transport::Kind::kTwoProcesses) continue;
    SCOPED_TRACE(std::string(transport.name));
    const auto server = transport.serve(directory.path(), &service);
    ASSERT_TRUE(server.ok()) << server.status();
    Cell cell;
    cell.connect = ConnectorTo(transport, (*server)->address());
    cell.client = transport.client;
    cell.timing = Brief();
    cell.bytes = 64;
    const auto result = RunUnary(cell);
    ASSERT_TRUE(result.ok()) << result.status();
    const auto beside_others = RunUnaryIdleLinks(cell);
    ASSERT_TRUE(beside_others.ok()) << beside_others.status();
  }
}

}  // namespace
}  // namespace grpc_shm::bench
