// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A server answers with what is no message of the method's type, or with
// nothing: each stub makes of it what it does over a socket.

#include <ostream>

#include "absl/strings/str_cat.h"
#include "grpcpp/generic/async_generic_service.h"
#include "tests/integration/byte_buffers.h"
#include "tests/integration/local_server.h"
#include "tests/integration/payload.h"
#include "tests/integration/transport_test.h"
#include "transport/options.h"

namespace grpc_shm {
namespace testing {
namespace {

// The answer to every call is what its metadata has under "answer-bin", or no
// message at all; then comes OK.
class StrangeService : public grpc::CallbackGenericService {
  class Call : public grpc::ServerGenericBidiReactor {
   public:
    explicit Call(const grpc::GenericCallbackServerContext& context) {
      const auto found = context.client_metadata().find("answer-bin");
      if (found != context.client_metadata().end()) {
        const grpc::Slice slice(found->second.data(), found->second.size());
        message_ = grpc::ByteBuffer(&slice, 1);
        StartWriteAndFinish(&message_, grpc::WriteOptions(), grpc::Status::OK);
      } else {
        Finish(grpc::Status::OK);
      }
    }
    void OnDone() override { delete this; }

   private:
    grpc::ByteBuffer message_;
  };

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    return new Call(*context);
  }
};

// What the application gets to see of a call.
struct Outcome {
  bool read;
  std::string payload;
  int code;
  std::string message;

  bool operator==(const Outcome& other) const {
    return read == other.read && payload == other.payload &&
           code == other.code && message == other.message;
  }
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << (outcome.read ? "a message of " : "no message, ")
             << outcome.payload.size() << " bytes, code " << outcome.code
             << ": " << outcome.message;
}

class StrangeReplyTest : public ::testing::Test {
 protected:
  StrangeReplyTest()
      : server_({}, ListenerOptions(), [this](ServerBuilder* builder) {
          builder->RegisterCallbackGenericService(&service_);
        }) {}

  Outcome Call(const ChannelPtr& channel, StubFlavour stub, CallKind kind,
               const std::string* answer) {
    auto context = NewContext();
    if (answer != nullptr) context->AddMetadata("answer-bin", *answer);
    auto call = StartCall(stub, kind, channel, context.get());
    EchoReply reply;
    Outcome outcome;
    outcome.read = call->Read(&reply);
    if (outcome.read) outcome.payload = reply.payload();
    const grpc::Status status = call->Finish();
    outcome.code = status.error_code();
    outcome.message = status.error_message();
    return outcome;
  }

  // Every stub and kind of call over shared memory against the socket.
  // `parses`: the answer is a message of the method's type.
  void ExpectAsOverASocket(const std::string* answer, bool parses = true) {
    grpc::ChannelArguments untyped;
    untyped.SetInt(kTypedCallsArg, 0);
    ChannelPtr socket = server_.NewChannel(Way::kSocket);
    ChannelPtr typed = server_.NewChannel(Way::kInline);
    ChannelPtr universal = server_.NewChannel(Way::kUniversal, untyped);
    for (StubFlavour stub :
         {StubFlavour::kSync, StubFlavour::kAsync, StubFlavour::kCallback}) {
      for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
        if (stub == StubFlavour::kSync && kind == CLIENT_STREAM && !parses) {
          continue;  // gRPC's ClientWriter::Finish (1.51) aborts
        }
        SCOPED_TRACE(absl::StrCat(StubFlavourName(stub), " ", kind));
        const Outcome expected = Call(socket, stub, kind, answer);
        EXPECT_EQ(Call(typed, stub, kind, answer), expected);
        EXPECT_EQ(Call(universal, stub, kind, answer), expected);
      }
    }
  }

  StrangeService service_;
  LocalServer server_;
};

TEST_F(StrangeReplyTest, MayBeGarbage) {
  // A field number that there is none, and a length beyond the end.
  const std::string answer("\xff\xff\xff\xff\xff\xff\x00garbage", 14);
  ExpectAsOverASocket(&answer, /*parses=*/false);
}

TEST_F(StrangeReplyTest, MayBeCutShort) {
  EchoReply reply;
  reply.set_payload(MakePayload(100, 1));
  const std::string answer = reply.SerializeAsString().substr(0, 60);
  ExpectAsOverASocket(&answer, /*parses=*/false);
}

TEST_F(StrangeReplyTest, MayBeEmpty) {
  const std::string answer;
  ExpectAsOverASocket(&answer);
}

TEST_F(StrangeReplyTest, MayBeMissing) { ExpectAsOverASocket(nullptr); }

TEST_F(StrangeReplyTest, MayHaveFieldsThatNobodyKnows) {
  const std::string answer = "\x0a\x02hi\xa2\x06\x03new";
  ExpectAsOverASocket(&answer);
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
