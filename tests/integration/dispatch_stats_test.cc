// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Which services run on the thread that has read the request, and what the
// server says of the others.

#include <memory>
#include <vector>

#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/server_builder.h"
#include "grpcpp/support/server_interceptor.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/echo_implementation.h"
#include "tests/integration/local_server.h"
#include "tests/integration/transport_test.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kEcho[] = "grpc_shm.testing.EchoService";
constexpr char kAddition[] = "grpc_shm.testing.AdditionService";

auto RunsInline(const std::string& service) {
  return Contains(AllOf(Field(&ServiceStats::name, service),
                        Field(&ServiceStats::runs_inline, true),
                        Field(&ServiceStats::reason, IsEmpty())));
}

auto RunsElsewhere(const std::string& service) {
  return Contains(AllOf(Field(&ServiceStats::name, service),
                        Field(&ServiceStats::runs_inline, false),
                        Field(&ServiceStats::reason, Not(IsEmpty()))));
}

class Addition : public AdditionService::Service {
  grpc::Status Add(grpc::ServerContext*, const AddRequest* request,
                   AddReply* reply) override {
    reply->set_sum(request->left() + request->right());
    return grpc::Status::OK;
  }
};

void ExpectAdds(const ChannelPtr& channel) {
  AddRequest request;
  request.set_left(40);
  request.set_right(2);
  AddReply reply;
  EXPECT_THAT(AdditionService::NewStub(channel)->Add(NewContext().get(),
                                                     request, &reply),
              IsOk());
  EXPECT_EQ(reply.sum(), 42);
}

// Of the address that runs inline what may, and of the one that does not.
ListenerStats InlineStats(LocalServer& server) {
  const std::vector<ListenerStats> stats = server.server().stats();
  EXPECT_EQ(stats.size(), 2u);
  return stats.empty() ? ListenerStats() : stats[0];
}
ListenerStats UniversalStats(LocalServer& server) {
  const std::vector<ListenerStats> stats = server.server().stats();
  return stats.size() < 2 ? ListenerStats() : stats[1];
}

TEST(DispatchStatsTest, SynchronousServicesRunInline) {
  Observer observer;
  auto echo = MakeSyncEcho(&observer);
  Addition addition;
  LocalServer server({echo->service(), &addition});
  EXPECT_THAT(InlineStats(server).services, RunsInline(kEcho));
  EXPECT_THAT(InlineStats(server).services, RunsInline(kAddition));
  EXPECT_EQ(InlineStats(server).services.size(), 2u);
  // Where it is not wanted, nothing does.
  EXPECT_THAT(UniversalStats(server).services, Not(RunsInline(kEcho)));
  EXPECT_THAT(UniversalStats(server).services, Not(RunsInline(kAddition)));
}

TEST(DispatchStatsTest, CallsAreCountedByTheirWay) {
  Observer observer;
  auto echo = MakeSyncEcho(&observer);
  LocalServer server({echo->service()});
  ChannelPtr inlined = server.NewChannel(Way::kInline);
  ChannelPtr universal = server.NewChannel(Way::kUniversal);
  ChannelPtr socket = server.NewChannel(Way::kSocket);
  for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
    for (const ChannelPtr& channel : {inlined, universal, socket}) {
      auto context = NewContext();
      auto call = StartCall(StubFlavour::kSync, kind, channel, context.get());
      call->WritesDone();
      EchoReply reply;
      while (call->Read(&reply)) {
      }
      EXPECT_THAT(call->Finish(), IsOk());
    }
  }
  EXPECT_EQ(InlineStats(server).inline_calls, 4u);
  EXPECT_EQ(InlineStats(server).universal_calls, 0u);
  EXPECT_EQ(UniversalStats(server).inline_calls, 0u);
  EXPECT_EQ(UniversalStats(server).universal_calls, 4u);
  EXPECT_EQ(InlineStats(server).links, 1u);
}

// Whatever the client's stub: it is the server's matter.
TEST(DispatchStatsTest, EveryStubReachesAnInlineService) {
  Observer observer;
  auto echo = MakeSyncEcho(&observer);
  LocalServer server({echo->service()});
  ChannelPtr channel = server.NewChannel(Way::kInline);
  uint64_t calls = 0;
  for (StubFlavour stub : kAllStubFlavours) {
    auto context = NewContext();
    auto call = StartCall(stub, UNARY, channel, context.get());
    EchoReply reply;
    EXPECT_TRUE(call->Read(&reply));
    EXPECT_THAT(call->Finish(), IsOk());
    ++calls;
    EXPECT_EQ(InlineStats(server).inline_calls, calls);
  }
  EXPECT_EQ(InlineStats(server).universal_calls, 0u);
}

TEST(DispatchStatsTest, MethodsThatNobodyHasAreUnimplementedAsEver) {
  Addition addition;
  LocalServer server({&addition});
  for (Way way : kAllWays) {
    ChannelPtr channel = server.NewChannel(way);
    EXPECT_THAT(CallUnary(channel), HasCode(grpc::StatusCode::UNIMPLEMENTED));
    ExpectAdds(channel);
  }
}

TEST(DispatchStatsTest, CallbackServicesRunElsewhere) {
  Observer observer;
  auto echo = MakeCallbackEcho(&observer);
  Addition addition;
  LocalServer server({echo->service(), &addition});
  EXPECT_THAT(InlineStats(server).services, RunsElsewhere(kEcho));
  // Each service for itself.
  EXPECT_THAT(InlineStats(server).services, RunsInline(kAddition));
  ChannelPtr channel = server.NewChannel(Way::kInline);
  EXPECT_THAT(CallUnary(channel), IsOk());
  ExpectAdds(channel);
  EXPECT_EQ(InlineStats(server).inline_calls, 1u);
  EXPECT_EQ(InlineStats(server).universal_calls, 1u);
}

// One method of another kind is enough.
template <class Service>
void ExpectElsewhere() {
  Service service;
  // For those marked as generic, and for those that are asynchronous.
  grpc::CallbackGenericService generic;
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
  {
    LocalServer server({&service}, ListenerOptions(),
                       [&](ServerBuilder* builder) {
                         builder->RegisterCallbackGenericService(&generic);
                         queue = builder->AddCompletionQueue();
                       });
    EXPECT_THAT(InlineStats(server).services, RunsElsewhere(kEcho));
    // The others are served as before. (Nobody has written this one.)
    auto context = NewContext();
    auto call = StartCall(StubFlavour::kSync, SERVER_STREAM,
                          server.NewChannel(Way::kInline), context.get());
    EXPECT_THAT(call->Finish(), HasCode(grpc::StatusCode::UNIMPLEMENTED));
    EXPECT_EQ(InlineStats(server).inline_calls, 0u);
    EXPECT_EQ(InlineStats(server).universal_calls, 1u);
  }
  queue->Shutdown();
  void* tag;
  bool ok;
  while (queue->Next(&tag, &ok)) {
  }
}

TEST(DispatchStatsTest, ServicesWithAnAsynchronousMethodRunElsewhere) {
  ExpectElsewhere<EchoService::WithAsyncMethod_Unary<EchoService::Service>>();
}

TEST(DispatchStatsTest, ServicesWithACallbackMethodRunElsewhere) {
  ExpectElsewhere<EchoService::WithCallbackMethod_Bidi<EchoService::Service>>();
}

TEST(DispatchStatsTest, ServicesWithAGenericMethodRunElsewhere) {
  ExpectElsewhere<EchoService::WithGenericMethod_Unary<EchoService::Service>>();
}

TEST(DispatchStatsTest, ServicesWithARawMethodRunElsewhere) {
  ExpectElsewhere<EchoService::WithRawMethod_Unary<EchoService::Service>>();
}

TEST(DispatchStatsTest, ServicesWithARawCallbackMethodRunElsewhere) {
  ExpectElsewhere<
      EchoService::WithRawCallbackMethod_Bidi<EchoService::Service>>();
}

TEST(DispatchStatsTest, ServicesWithAStreamedUnaryMethodRunInlineToo) {
  // Abstract: the method that is streamed must be written.
  class Streamed : public AdditionService::WithStreamedUnaryMethod_Add<
                       AdditionService::Service> {
    grpc::Status StreamedAdd(
        grpc::ServerContext*,
        grpc::ServerUnaryStreamer<AddRequest, AddReply>* call) override {
      AddRequest request;
      if (!call->Read(&request)) return grpc::Status::CANCELLED;
      AddReply reply;
      reply.set_sum(request.left() + request.right());
      return call->Write(reply) ? grpc::Status::OK : grpc::Status::CANCELLED;
    }
  };
  Streamed service;
  LocalServer server({&service});
  EXPECT_THAT(InlineStats(server).services, RunsInline(kAddition));
  ExpectAdds(server.NewChannel(Way::kInline));
  EXPECT_EQ(InlineStats(server).inline_calls, 1u);
}

TEST(DispatchStatsTest, GenericServicesServeWhatIsNotInline) {
  class Refusing : public grpc::CallbackGenericService {
    grpc::ServerGenericBidiReactor* CreateReactor(
        grpc::GenericCallbackServerContext*) override {
      class Refusal : public grpc::ServerGenericBidiReactor {
       public:
        Refusal() { Finish(grpc::Status(grpc::StatusCode::ABORTED, "")); }
        void OnDone() override { delete this; }
      };
      return new Refusal;
    }
  };
  Addition addition;
  Refusing generic;
  LocalServer server({&addition}, ListenerOptions(),
                     [&](ServerBuilder* builder) {
                       builder->RegisterCallbackGenericService(&generic);
                     });
  EXPECT_THAT(InlineStats(server).services, RunsInline(kAddition));
  ChannelPtr channel = server.NewChannel(Way::kInline);
  ExpectAdds(channel);
  EXPECT_THAT(CallUnary(channel), HasCode(grpc::StatusCode::ABORTED));
  EXPECT_EQ(InlineStats(server).inline_calls, 1u);
  EXPECT_EQ(InlineStats(server).universal_calls, 1u);
}

TEST(DispatchStatsTest, NothingRunsInlineOnAServerWithInterceptors) {
  class Passing : public grpc::experimental::Interceptor {
    void Intercept(
        grpc::experimental::InterceptorBatchMethods* methods) override {
      methods->Proceed();
    }
  };
  class Factory : public grpc::experimental::ServerInterceptorFactoryInterface {
    grpc::experimental::Interceptor* CreateServerInterceptor(
        grpc::experimental::ServerRpcInfo*) override {
      return new Passing;
    }
  };
  Addition addition;
  LocalServer server(
      {&addition}, ListenerOptions(), [](ServerBuilder* builder) {
        std::vector<std::unique_ptr<
            grpc::experimental::ServerInterceptorFactoryInterface>>
            factories;
        factories.push_back(std::make_unique<Factory>());
        builder->grpc_builder().experimental().SetInterceptorCreators(
            std::move(factories));
      });
  EXPECT_THAT(InlineStats(server).services, RunsElsewhere(kAddition));
  ExpectAdds(server.NewChannel(Way::kInline));
  EXPECT_EQ(InlineStats(server).inline_calls, 0u);
  EXPECT_EQ(InlineStats(server).universal_calls, 1u);
}

class AttachedStatsTest : public ::testing::Test {
 protected:
  AttachedStatsTest()
      : server_(
            grpc::ServerBuilder().RegisterService(&addition_).BuildAndStart()) {
  }

  std::unique_ptr<Listener> Attach(const ListenerOptions& options) {
    auto listener = Listener::Attach(server_.get(), address_, options);
    EXPECT_TRUE(listener.ok()) << listener.status();
    return *std::move(listener);
  }

  const std::string address_ = NewAddress(Transport::kShm);
  Addition addition_;
  const std::unique_ptr<grpc::Server> server_;
};

TEST_F(AttachedStatsTest, KnowsOfNoServicesByItself) {
  auto listener = Attach(ListenerOptions());
  ExpectAdds(MakeChannel(address_));
  const ListenerStats stats = listener->stats();
  EXPECT_EQ(stats.address, address_);
  EXPECT_THAT(stats.services, IsEmpty());
  EXPECT_EQ(stats.inline_calls, 0u);
  EXPECT_EQ(stats.universal_calls, 1u);
}

TEST_F(AttachedStatsTest, RunsTheServicesInlineThatItIsGiven) {
  ListenerOptions options;
  options.inline_services.push_back(&addition_);
  auto listener = Attach(options);
  ExpectAdds(MakeChannel(address_));
  // A second one for the same services is a matter of its own.
  options.inline_dispatch = false;
  const std::string second_address = NewAddress(Transport::kShm);
  auto second = Listener::Attach(server_.get(), second_address, options);
  ASSERT_TRUE(second.ok()) << second.status();
  ExpectAdds(MakeChannel(second_address));
  EXPECT_THAT(listener->stats().services, RunsInline(kAddition));
  EXPECT_EQ(listener->stats().inline_calls, 1u);
  EXPECT_EQ(listener->stats().universal_calls, 0u);
  EXPECT_THAT((*second)->stats().services, Not(RunsInline(kAddition)));
  EXPECT_EQ((*second)->stats().inline_calls, 0u);
  EXPECT_EQ((*second)->stats().universal_calls, 1u);
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
