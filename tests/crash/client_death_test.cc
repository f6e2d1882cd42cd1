// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A client that is killed: the server sees the end of its calls within 100 ms
// and keeps nothing of it.

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "tests/crash/client_process.h"
#include "tests/crash/stolen_time.h"
#include "tests/integration/process_resources.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

class ClientDeathTest : public TransportTest {
 protected:
  // Callback services learn of a cancellation at once.
  void SetUp() override { Serve(CALLBACK); }

  void Serve(ServiceFlavour flavour) {
    address_ = NewAddress(GetParam());
    ServerConfig config;
    config.add_addresses(address_);
    config.set_flavour(flavour);
    config.set_max_receive_message_bytes(-1);
    StartServer(config);
  }

  std::unique_ptr<ChildProcess> NewClient() {
    return NewClientProcess(address_, GetParam());
  }

  static void Start(ChildProcess& client, CallKind kind, int count,
                    const Script& script, size_t request_bytes = 0,
                    bool keep_writing = false) {
    ControlRequest request;
    StartCalls& start = *request.mutable_start_calls();
    start.set_kind(kind);
    start.set_count(count);
    start.set_script(script.SerializeAsString());
    start.set_request_bytes(request_bytes);
    start.set_keep_writing(keep_writing);
    EXPECT_EQ(client.Command(request).code(), 0);
  }

  // Kills the client when `count` handlers run; all must end promptly.
  void ExpectKillEndsHandlers(ChildProcess& client, const std::string& key,
                              int count) {
    ASSERT_NE(server().AwaitEvent(key, "started", count), 0);
    const StolenTime stolen;
    const int64_t killed = client.Kill();
    const int64_t ended = server().AwaitEvent(key, "finished", count);
    ASSERT_NE(ended, 0);
    EXPECT_LE(absl::Nanoseconds(ended - killed), kPromptly + stolen.SoFar());
  }

  std::string address_;
};

TEST_P(ClientDeathTest, EndsUnaryCalls) {
  auto client = NewClient();
  Start(*client, UNARY, 20, MakeScript("k", {WaitForCancellation()}));
  ExpectKillEndsHandlers(*client, "k", 20);
}

TEST_P(ClientDeathTest, EndsIdleStreams) {
  auto client = NewClient();
  for (CallKind kind : {CLIENT_STREAM, SERVER_STREAM, BIDI}) {
    Start(*client, kind, 1, MakeScript("k", {WaitForCancellation()}));
  }
  ExpectKillEndsHandlers(*client, "k", 3);
}

TEST_P(ClientDeathTest, EndsAHandlerThatReads) {
  auto client = NewClient();
  Start(*client, CLIENT_STREAM, 1, MakeScript("k", {ReadAll()}), 50000, true);
  ASSERT_NE(server().AwaitEvent("k", "read", 10), 0);
  ExpectKillEndsHandlers(*client, "k", 1);
}

TEST_P(ClientDeathTest, EndsAHandlerThatWrites) {
  auto client = NewClient();
  Start(*client, SERVER_STREAM, 1, MakeScript("k", {WriteUntilFailure(50000)}));
  ASSERT_NE(server().AwaitEvent("k", "written", 10), 0);
  ExpectKillEndsHandlers(*client, "k", 1);
}

TEST_P(ClientDeathTest, EndsAHandlerInTheMiddleOfALargeMessage) {
  auto client = NewClient();
  Start(*client, CLIENT_STREAM, 1, MakeScript("k", {ReadAll()}), 16 << 20,
        true);
  ASSERT_NE(server().AwaitEvent("k", "read"), 0);
  ExpectKillEndsHandlers(*client, "k", 1);
}

TEST_P(ClientDeathTest, WhileItWasStoppedEndsItsCalls) {
  auto client = NewClient();
  Start(*client, UNARY, 2, MakeScript("k", {WaitForCancellation()}));
  Start(*client, SERVER_STREAM, 1, MakeScript("k", {WriteUntilFailure(50000)}));
  ASSERT_NE(server().AwaitEvent("k", "written"), 0);
  // The last call may overtake the others, which would never leave then.
  ASSERT_NE(server().AwaitEvent("k", "started", 3), 0);
  client->Stop();
  ExpectKillEndsHandlers(*client, "k", 3);
}

TEST_P(ClientDeathTest, DisturbsNoOtherClient) {
  ChannelPtr channel = NewChannel();
  auto context = NewContext();
  auto stream = StartCall(StubFlavour::kSync, BIDI, channel, context.get());
  EchoReply reply;
  for (int i = 0; i < 5; ++i) {
    const std::string key = absl::StrCat("client ", i);
    auto client = NewClient();
    Start(*client, BIDI, 3, MakeScript(key, {EchoAll()}), 1000, true);
    ASSERT_TRUE(stream->Write(PatternRequest(100, i)));
    ASSERT_TRUE(stream->Read(&reply));
    ExpectKillEndsHandlers(*client, key, 3);
    ASSERT_TRUE(stream->Write(PatternRequest(100, i)));
    ASSERT_TRUE(stream->Read(&reply));
  }
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_THAT(stream->Finish(), IsOk());
}

TEST_P(ClientDeathTest, LeavesNothingBehind) {
  const pid_t pid = server().process()->pid();
  ProcessResources before;
  for (int i = 0; i <= 20; ++i) {
    const std::string key = absl::StrCat("client ", i);
    auto client = NewClient();
    Start(*client, UNARY, 2, MakeScript(key, {WaitForCancellation()}));
    Start(*client, BIDI, 2, MakeScript(key, {ReadAll()}), 20000, true);
    ExpectKillEndsHandlers(*client, key, 4);
    // The first client shows what the server keeps for itself.
    if (i > 0) continue;
    Eventually([&] { return ResourcesOf(pid).memfd_mappings == 0; });
    before = ResourcesOf(pid);
  }
  ProcessResources after;
  EXPECT_TRUE(Eventually([&] {
    after = ResourcesOf(pid);
    return after.descriptors <= before.descriptors && after.memfd_mappings == 0;
  })) << "before: "
      << before << "; after: " << after;
  EXPECT_LE(after.threads, before.threads + 5);
  EXPECT_THAT(CallUnary(NewChannel()), IsOk());
}

GRPC_SHM_INSTANTIATE(ClientDeathTest, TransportsBetweenProcesses);

// The same for synchronous handlers, each of which has a thread: perhaps the
// one that would hear of the death.
class ClientOfHandlersDeathTest : public ClientDeathTest {
 protected:
  void SetUp() override { Serve(SYNC); }
};

TEST_P(ClientOfHandlersDeathTest, EndsThoseThatAskWhetherItIsThere) {
  auto client = NewClient();
  for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
    Start(*client, kind, 10, MakeScript("k", {WaitForCancellation()}));
  }
  ExpectKillEndsHandlers(*client, "k", 40);
}

TEST_P(ClientOfHandlersDeathTest, EndsThoseThatRead) {
  auto client = NewClient();
  Start(*client, CLIENT_STREAM, 1, MakeScript("k", {ReadAll()}), 50000, true);
  Start(*client, BIDI, 1, MakeScript("k", {ReadAll()}));
  ASSERT_NE(server().AwaitEvent("k", "read", 10), 0);
  ExpectKillEndsHandlers(*client, "k", 2);
}

TEST_P(ClientOfHandlersDeathTest, EndsThoseThatWrite) {
  auto client = NewClient();
  Start(*client, SERVER_STREAM, 3,
        MakeScript("k", {WriteUntilFailure(100000)}));
  ASSERT_NE(server().AwaitEvent("k", "written", 3), 0);
  ExpectKillEndsHandlers(*client, "k", 3);
}

TEST_P(ClientOfHandlersDeathTest, LeavesThoseThatDoNotAskAlone) {
  auto client = NewClient();
  ChannelPtr other = NewChannel();
  Start(*client, UNARY, 5,
        MakeScript("k", {HoldAtGate("gate"), WritePattern(100, 1)}));
  ASSERT_NE(server().AwaitEvent("k", "started", 5), 0);
  client->Kill();
  for (int i = 0; i < 10; ++i) EXPECT_THAT(CallUnary(other), IsOk());
  EXPECT_EQ(server().CountEvents("k", "finished"), 0);
  server().OpenGate("gate");
  EXPECT_NE(server().AwaitEvent("k", "finished", 5), 0);
  EXPECT_THAT(CallUnary(other), IsOk());
}

GRPC_SHM_INSTANTIATE(ClientOfHandlersDeathTest, TransportsBetweenProcesses);

// Below: what has no counterpart with a socket.

UniqueFd ConnectRaw(const std::string& address) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un path = {};
  path.sun_family = AF_UNIX;
  const std::string file =
      RendezvousDirectory() + "/" + address.substr(4) + ".sock";
  file.copy(path.sun_path, sizeof(path.sun_path) - 1);
  EXPECT_EQ(
      connect(socket.get(), reinterpret_cast<sockaddr*>(&path), sizeof(path)),
      0)
      << file;
  return socket;
}

// What the kernel closes when a process dies, a test may close itself.
TEST(ClientHandshakeDeathTest, BeforeHelloLeavesNothingBehind) {
  ServerConfig config;
  const std::string address = NewAddress(Transport::kShm);
  config.add_addresses(address);
  auto server = TestServer::Start(Transport::kShm, config);
  ASSERT_TRUE(server.ok()) << server.status();
  ChannelPtr channel = (*server)->NewChannel({});
  ASSERT_THAT(CallUnary(channel), IsOk());
  const pid_t pid = (*server)->process()->pid();
  const int before = ResourcesOf(pid).descriptors;
  constexpr int kSilent = 50;
  std::vector<UniqueFd> silent;
  for (int i = 0; i < kSilent; ++i) silent.push_back(ConnectRaw(address));
  EXPECT_TRUE(Eventually(
      [&] { return ResourcesOf(pid).descriptors == before + kSilent; }));
  // They hold up nobody.
  EXPECT_THAT(CallUnary(channel), IsOk());
  EXPECT_THAT(CallUnary((*server)->NewChannel({})), IsOk());
  silent.clear();
  EXPECT_TRUE(Eventually([&] {
    return ResourcesOf(pid).descriptors == before;
  })) << ResourcesOf(pid);
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
