// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What gRPC lets an application hook into all its servers and all its channels:
// a call through shared memory passes there as any other. In a process of its
// own, since the hooks stay for its life.

#include <memory>

#include "grpcpp/server.h"
#include "grpcpp/support/client_interceptor.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/local_server.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

// Notes "pre", "handler" and "post" under the value of the call's "key".
Observer* TheObserver() {
  static auto* const observer = new Observer;
  return observer;
}

std::string KeyOf(const grpc::ServerContext& context) {
  const auto found = context.client_metadata().find("key");
  return found == context.client_metadata().end()
             ? ""
             : std::string(found->second.data(), found->second.size());
}

int64_t Count(const std::string& key, const std::string& event) {
  return TheObserver()->Await(key, event, 0, absl::ZeroDuration()).count;
}

class Callbacks : public grpc::Server::GlobalCallbacks {
  void PreSynchronousRequest(grpc::ServerContext* context) override {
    const std::string key = KeyOf(*context);
    EXPECT_EQ(Count(key, "handler"), 0);
    context->AddInitialMetadata("added-by", "hook");
    TheObserver()->Note(key, "pre");
  }
  void PostSynchronousRequest(grpc::ServerContext* context) override {
    const std::string key = KeyOf(*context);
    EXPECT_EQ(Count(key, "handler"), 1);
    TheObserver()->Note(key, "post");
  }
};

class ClientInterceptor : public grpc::experimental::Interceptor {
 public:
  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    using Hook = grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(Hook::PRE_SEND_INITIAL_METADATA)) {
      auto* metadata = methods->GetSendInitialMetadata();
      const auto key = metadata->find("key");
      if (key != metadata->end()) key_ = key->second;
      metadata->insert({"from-interceptor", "yes"});
      TheObserver()->Note(key_, "client sends");
    }
    if (methods->QueryInterceptionHookPoint(Hook::POST_RECV_STATUS)) {
      TheObserver()->Note(key_, "client has status");
    }
    methods->Proceed();
  }

 private:
  std::string key_;
};

class ClientInterceptorFactory
    : public grpc::experimental::ClientInterceptorFactoryInterface {
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new ClientInterceptor;
  }
};

class NotingService : public EchoService::Service {
  void Note(grpc::ServerContext* context) {
    const std::string key = KeyOf(*context);
    EXPECT_EQ(Count(key, "pre"), 1);
    EXPECT_EQ(Count(key, "post"), 0);
    EXPECT_EQ(context->client_metadata().count("from-interceptor"), 1u);
    TheObserver()->Note(key, "handler");
  }
  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest*,
                     EchoReply*) override {
    Note(context);
    return grpc::Status::OK;
  }
  grpc::Status ServerStream(grpc::ServerContext* context, const EchoRequest*,
                            grpc::ServerWriter<EchoReply>* writer) override {
    Note(context);
    writer->Write(EchoReply());
    return grpc::Status::OK;
  }
  grpc::Status ClientStream(grpc::ServerContext* context,
                            grpc::ServerReader<EchoRequest>* reader,
                            EchoReply*) override {
    Note(context);
    EchoRequest request;
    while (reader->Read(&request)) {
    }
    return grpc::Status::OK;
  }
  grpc::Status Bidi(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<EchoReply, EchoRequest>*) override {
    Note(context);
    return grpc::Status::CANCELLED;
  }
};

class ProcessHooksTest : public ::testing::TestWithParam<Way> {
 protected:
  static void SetUpTestSuite() {
    static bool set = false;
    if (set) return;
    set = true;
    grpc::Server::SetGlobalCallbacks(new Callbacks);
    grpc::experimental::RegisterGlobalClientInterceptorFactory(
        new ClientInterceptorFactory);
  }
};

TEST_P(ProcessHooksTest, AreCalledOncePerCallInOrder) {
  NotingService service;
  LocalServer server({&service});
  ChannelPtr channel = server.NewChannel(GetParam());
  for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
    const std::string key = WayName(GetParam()) + std::to_string(kind);
    auto context = NewContext();
    context->AddMetadata("key", key);
    auto call = StartCall(StubFlavour::kSync, kind, channel, context.get());
    call->WritesDone();
    EchoReply reply;
    while (call->Read(&reply)) {
    }
    EXPECT_THAT(call->Finish(),
                HasCode(kind == BIDI ? grpc::StatusCode::CANCELLED
                                     : grpc::StatusCode::OK));
    if (kind != BIDI) {  // which answers with a status alone
      EXPECT_EQ(context->GetServerInitialMetadata().count("added-by"), 1u);
    }
    // The answer leaves before the last hook is called.
    EXPECT_EQ(TheObserver()->Await(key, "post", 1, kPatience).count, 1);
    EXPECT_EQ(Count(key, "pre"), 1);
    EXPECT_EQ(Count(key, "handler"), 1);
    EXPECT_EQ(Count(key, "client sends"), 1);
    EXPECT_EQ(Count(key, "client has status"), 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, ProcessHooksTest, ::testing::ValuesIn(kAllWays),
                         [](const auto& info) { return WayName(info.param); });

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
