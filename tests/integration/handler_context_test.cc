// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// What a synchronous handler may do with its ServerContext, and how it may end,
// beyond what the scripts of the other tests do: the same on every way to it.

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/local_server.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"
#include "transport/peer_identity.h"

namespace grpc_shm {
namespace testing {
namespace {

using Handler = std::function<grpc::Status(grpc::ServerContext*,
                                           const EchoRequest*, EchoReply*)>;
using UploadHandler = std::function<grpc::Status(
    grpc::ServerContext*, grpc::ServerReader<EchoRequest>*, EchoReply*)>;
using DownloadHandler = std::function<grpc::Status(
    grpc::ServerContext*, grpc::ServerWriter<EchoReply>*)>;
using BidiHandler = std::function<grpc::Status(
    grpc::ServerContext*, grpc::ServerReaderWriter<EchoReply, EchoRequest>*)>;

// Its handlers are the test's.
class TestService : public EchoService::Service {
 public:
  Handler unary;
  UploadHandler client_stream;
  DownloadHandler server_stream;
  BidiHandler bidi;

 private:
  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest* request,
                     EchoReply* reply) override {
    return unary(context, request, reply);
  }
  grpc::Status ClientStream(grpc::ServerContext* context,
                            grpc::ServerReader<EchoRequest>* reader,
                            EchoReply* reply) override {
    return client_stream(context, reader, reply);
  }
  grpc::Status ServerStream(grpc::ServerContext* context, const EchoRequest*,
                            grpc::ServerWriter<EchoReply>* writer) override {
    return server_stream(context, writer);
  }
  grpc::Status Bidi(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<EchoReply, EchoRequest>* stream) override {
    return bidi(context, stream);
  }
};

// What the handlers of TestService call: notes its context and waits.
class InnerService : public AdditionService::Service {
 public:
  explicit InnerService(Observer* observer) : observer_(observer) {}

  std::chrono::system_clock::time_point deadline;

 private:
  grpc::Status Add(grpc::ServerContext* context, const AddRequest* request,
                   AddReply* reply) override {
    deadline = context->deadline();
    observer_->Note("inner", "started");
    if (request->left() < 0) {
      while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
      observer_->Note("inner", "cancelled");
    }
    reply->set_sum(request->left() + request->right());
    return grpc::Status::OK;
  }

  Observer* const observer_;
};

class HandlerContextTest : public ::testing::TestWithParam<Way> {
 protected:
  HandlerContextTest()
      : inner_service_(&observer_),
        inner_({&inner_service_}),
        outer_({&service_}),
        channel_(outer_.NewChannel(GetParam())),
        stub_(EchoService::NewStub(channel_)) {}

  // Calls the inner server for the call of `context`.
  grpc::Status CallInner(grpc::ServerContext* context, Way way, int64_t left) {
    const auto inner_context = grpc::ClientContext::FromServerContext(*context);
    AddRequest request;
    request.set_left(left);
    AddReply reply;
    return AdditionService::NewStub(inner_.NewChannel(way))
        ->Add(inner_context.get(), request, &reply);
  }

  bool Happens(const std::string& key, const std::string& event) {
    return observer_.Await(key, event, 1, kPatience).count >= 1;
  }

  grpc::Status Unary(grpc::ClientContext* context, EchoReply* reply = nullptr) {
    EchoReply ignored;
    return stub_->Unary(context, PatternRequest(100, 1),
                        reply == nullptr ? &ignored : reply);
  }

  Observer observer_;
  InnerService inner_service_;
  LocalServer inner_;
  TestService service_;
  LocalServer outer_;
  const ChannelPtr channel_;
  const std::unique_ptr<EchoService::Stub> stub_;
};

TEST_P(HandlerContextTest, ItsDeadlineIsThatOfTheCallsItMakes) {
  for (Way way : kAllWays) {
    SCOPED_TRACE(WayName(way));
    std::chrono::system_clock::time_point seen;
    service_.unary = [&](grpc::ServerContext* context, const EchoRequest*,
                         EchoReply*) {
      seen = context->deadline();
      return CallInner(context, way, 1);
    };
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    auto context = NewContext();
    context->set_deadline(absl::ToChronoTime(deadline));
    EXPECT_THAT(Unary(context.get()), IsOk());
    for (absl::Time of_server :
         {absl::FromChrono(seen), absl::FromChrono(inner_service_.deadline)}) {
      EXPECT_LE(absl::AbsDuration(of_server - deadline), absl::Seconds(2));
    }
  }
}

TEST_P(HandlerContextTest, ItsDeadlineEndsTheCallsItMakes) {
  for (Way way : kAllWays) {
    SCOPED_TRACE(WayName(way));
    service_.unary = [&](grpc::ServerContext* context, const EchoRequest*,
                         EchoReply*) {
      const grpc::Status status = CallInner(context, way, -1);
      observer_.Note("outer", status.ok() ? "ok" : "failed");
      return status;
    };
    EXPECT_THAT(Unary(NewContext(absl::Milliseconds(100)).get()),
                HasCode(grpc::StatusCode::DEADLINE_EXCEEDED));
    EXPECT_TRUE(Happens("inner", "cancelled"));
    EXPECT_TRUE(Happens("outer", "failed"));
  }
}

TEST_P(HandlerContextTest, ItsCancellationCancelsTheCallsItMakes) {
  for (Way way : kAllWays) {
    SCOPED_TRACE(WayName(way));
    grpc::Status of_inner;
    absl::Notification returned;
    service_.unary = [&](grpc::ServerContext* context, const EchoRequest*,
                         EchoReply*) {
      of_inner = CallInner(context, way, -1);
      returned.Notify();
      return grpc::Status::OK;
    };
    const int64_t started =
        observer_.Await("inner", "started", 0, absl::ZeroDuration()).count;
    auto context = NewContext();
    grpc::Status of_outer;
    std::thread caller([&] { of_outer = Unary(context.get()); });
    EXPECT_EQ(observer_.Await("inner", "started", started + 1, kPatience).count,
              started + 1);
    context->TryCancel();
    caller.join();
    EXPECT_THAT(of_outer, HasCode(grpc::StatusCode::CANCELLED));
    ASSERT_TRUE(returned.WaitForNotificationWithTimeout(kPatience));
    EXPECT_THAT(of_inner, HasCode(grpc::StatusCode::CANCELLED));
  }
}

// Also one that the handler goes on waiting for after it has given up itself.
TEST_P(HandlerContextTest, ItsOwnTryCancelCancelsTheCallsItMakes) {
  service_.unary = [&](grpc::ServerContext* context, const EchoRequest*,
                       EchoReply*) {
    std::thread canceller([&] {
      EXPECT_TRUE(Happens("inner", "started"));
      context->TryCancel();
    });
    EXPECT_THAT(CallInner(context, Way::kSocket, -1),
                HasCode(grpc::StatusCode::CANCELLED));
    canceller.join();
    EXPECT_TRUE(context->IsCancelled());
    return grpc::Status::OK;
  };
  EXPECT_THAT(Unary(NewContext().get()), HasCode(grpc::StatusCode::CANCELLED));
}

TEST_P(HandlerContextTest, AThrowingHandlerFailsItsCallAlone) {
  service_.unary = [](grpc::ServerContext*, const EchoRequest*,
                      EchoReply*) -> grpc::Status {
    throw std::runtime_error("unary");
  };
  service_.client_stream = [](grpc::ServerContext*,
                              grpc::ServerReader<EchoRequest>* reader,
                              EchoReply*) -> grpc::Status {
    EchoRequest request;
    reader->Read(&request);
    throw std::runtime_error("client stream");
  };
  service_.server_stream =
      [](grpc::ServerContext*,
         grpc::ServerWriter<EchoReply>* writer) -> grpc::Status {
    writer->Write(EchoReply());
    throw std::runtime_error("server stream");
  };
  service_.bidi =
      [](grpc::ServerContext*,
         grpc::ServerReaderWriter<EchoReply, EchoRequest>*) -> grpc::Status {
    throw 1;
  };
  for (int round = 0; round < 3; ++round) {
    for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
      SCOPED_TRACE(kind);
      auto context = NewContext();
      auto call =
          StartCall(StubFlavour::kCallback, kind, channel_, context.get());
      call->Write(PatternRequest(10, 1));
      EchoReply reply;
      while (call->Read(&reply)) {
      }
      const grpc::Status status = call->Finish();
      EXPECT_THAT(status, HasCode(grpc::StatusCode::UNKNOWN));
      EXPECT_EQ(status.error_message(), "Unexpected error in RPC handling");
    }
  }
}

TEST_P(HandlerContextTest, MayReadAndWriteFromTwoThreads) {
  service_.bidi = [](grpc::ServerContext*,
                     grpc::ServerReaderWriter<EchoReply, EchoRequest>* stream) {
    std::thread writer([&] {
      EchoReply reply;
      for (int i = 0; i < 200; ++i) {
        reply.set_payload(MakePayload(1000, i));
        EXPECT_TRUE(stream->Write(reply));
      }
    });
    EchoRequest request;
    int read = 0;
    while (stream->Read(&request)) {
      EXPECT_TRUE(IsPayload(request.payload(), 1000, read++));
    }
    writer.join();
    return read == 200 ? grpc::Status::OK
                       : grpc::Status(grpc::StatusCode::DATA_LOSS, "");
  };
  auto context = NewContext();
  auto stream = stub_->Bidi(context.get());
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) {
      EXPECT_TRUE(stream->Write(PatternRequest(1000, i)));
    }
    EXPECT_TRUE(stream->WritesDone());
  });
  EchoReply reply;
  int read = 0;
  while (stream->Read(&reply)) {
    EXPECT_TRUE(IsPayload(reply.payload(), 1000, read++));
  }
  writer.join();
  EXPECT_EQ(read, 200);
  EXPECT_THAT(stream->Finish(), IsOk());
}

// Another thread than the handler's may do what gRPC allows any thread.
TEST_P(HandlerContextTest, MayBeCancelledByAnotherThread) {
  service_.bidi = [](grpc::ServerContext* context,
                     grpc::ServerReaderWriter<EchoReply, EchoRequest>* stream) {
    std::thread canceller([context] { context->TryCancel(); });
    EchoRequest request;
    EXPECT_FALSE(stream->Read(&request));
    canceller.join();
    EXPECT_TRUE(context->IsCancelled());
    EXPECT_FALSE(stream->Write(EchoReply()));
    return grpc::Status::OK;
  };
  auto context = NewContext();
  auto stream = stub_->Bidi(context.get());
  EchoReply reply;
  EXPECT_FALSE(stream->Read(&reply));
  EXPECT_THAT(stream->Finish(), HasCode(grpc::StatusCode::CANCELLED));
}

TEST_P(HandlerContextTest, HasWhatTheTransportKnows) {
  service_.unary = [&](grpc::ServerContext* context, const EchoRequest*,
                       EchoReply*) {
    EXPECT_FALSE(context->peer().empty());
    EXPECT_FALSE(context->IsCancelled());
    EXPECT_NE(context->c_call(), nullptr);
    // There is none without credentials, but one may ask.
    const auto auth = context->auth_context();
    if (auth != nullptr) {
      EXPECT_FALSE(auth->IsPeerAuthenticated());
    }
    context->census_context();
    const auto identity = PeerIdentity::From(*context);
    if (GetParam() == Way::kSocket) {
      EXPECT_FALSE(identity.ok());
    } else {
      EXPECT_TRUE(identity.ok()) << identity.status();
      if (identity.ok()) {
        EXPECT_EQ(identity->pid, getpid());
      }
    }
    return grpc::Status::OK;
  };
  EXPECT_THAT(Unary(NewContext().get()), IsOk());
}

TEST_P(HandlerContextTest, CompressionOfTheCallChangesNoMessage) {
  service_.unary = [](grpc::ServerContext* context, const EchoRequest* request,
                      EchoReply* reply) {
    context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
    reply->set_payload(request->payload());
    return grpc::Status::OK;
  };
  service_.server_stream = [](grpc::ServerContext* context,
                              grpc::ServerWriter<EchoReply>* writer) {
    context->set_compression_level(GRPC_COMPRESS_LEVEL_HIGH);
    EchoReply reply;
    for (int i = 0; i < 3; ++i) {
      reply.set_payload(MakePayload(1000, i));
      writer->Write(reply, i == 1 ? grpc::WriteOptions().set_no_compression()
                                  : grpc::WriteOptions());
    }
    return grpc::Status::OK;
  };
  EchoReply reply;
  EXPECT_THAT(Unary(NewContext().get(), &reply), IsOk());
  EXPECT_TRUE(IsPayload(reply.payload(), 100, 1));
  auto context = NewContext();
  auto reader = stub_->ServerStream(context.get(), EchoRequest());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(reader->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 1000, i));
  }
  EXPECT_THAT(reader->Finish(), IsOk());
}

TEST_P(HandlerContextTest, LastMessageMayComeWithTheStatus) {
  service_.server_stream = [](grpc::ServerContext*,
                              grpc::ServerWriter<EchoReply>* writer) {
    EchoReply reply;
    reply.set_payload(MakePayload(100, 1));
    writer->Write(reply);
    reply.set_payload(MakePayload(100, 2));
    writer->WriteLast(reply, grpc::WriteOptions());
    return grpc::Status::OK;
  };
  for (int round = 0; round < 20; ++round) {
    auto context = NewContext();
    auto reader = stub_->ServerStream(context.get(), EchoRequest());
    EchoReply reply;
    ASSERT_TRUE(reader->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 100, 1));
    ASSERT_TRUE(reader->Read(&reply));
    EXPECT_TRUE(IsPayload(reply.payload(), 100, 2));
    EXPECT_FALSE(reader->Read(&reply));
    EXPECT_THAT(reader->Finish(), IsOk());
  }
}

// A thousand calls of a handler that does as little as can be, so that ends and
// beginnings meet in every order.
TEST_P(HandlerContextTest, ManyShortCallsInParallel) {
  service_.unary = [](grpc::ServerContext* context, const EchoRequest* request,
                      EchoReply* reply) {
    reply->set_payload(request->payload());
    context->AddTrailingMetadata("t", "v");
    return grpc::Status::OK;
  };
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 125; ++i) {
        EchoReply reply;
        auto context = NewContext();
        right += Unary(context.get(), &reply).ok() &&
                 IsPayload(reply.payload(), 100, 1) &&
                 context->GetServerTrailingMetadata().count("t") == 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 1000);
}

INSTANTIATE_TEST_SUITE_P(Ways, HandlerContextTest,
                         ::testing::ValuesIn(kAllWays),
                         [](const auto& info) { return WayName(info.param); });

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
