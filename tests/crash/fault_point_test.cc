// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A server or a client that dies between any two steps of what it does: see
// transport/base/fault_point.h for the places. It stops there, and is killed,
// or it kills itself. Those who survive get their answers within 100 ms, keep
// nothing, and go on with whoever comes next.

#include "transport/base/fault_point.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/crash/client_process.h"
#include "tests/crash/stolen_time.h"
#include "tests/integration/process_resources.h"
#include "tests/integration/transport_test.h"
#include "transport/options.h"

#ifdef NDEBUG
TEST(FaultPoints, AreNotInReleaseBuilds) { GTEST_SKIP(); }
#else

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::IsEmpty;

enum Role { kServer, kClient };

struct Case {
  FaultPoint point;
  Role role;
  int nth;
  const char* action;
};

std::string NameOf(FaultPoint point) {
  return kFaultPointNames[static_cast<int>(point)];
}

// Who passes each point. Those that are passed often are tried a second time,
// in the middle of things.
struct Place {
  bool server;
  bool client;
  bool often;
};

const std::map<FaultPoint, Place>& Places() {
  constexpr Place kServerOnce = {true, false, false};
  constexpr Place kClientOnce = {false, true, false};
  constexpr Place kBoth = {true, true, false};
  constexpr Place kBothOften = {true, true, true};
  static const auto* const places = new std::map<FaultPoint, Place>{
      {FaultPoint::kNameLockOpened, kServerOnce},
      {FaultPoint::kNameLocked, kServerOnce},
      {FaultPoint::kNameBound, kServerOnce},
      {FaultPoint::kNameListening, kServerOnce},
      {FaultPoint::kNamePublished, kServerOnce},
      {FaultPoint::kNameReleasing, kServerOnce},
      {FaultPoint::kNameSocketRemoved, kServerOnce},
      {FaultPoint::kCleanerLocked, kClientOnce},
      {FaultPoint::kCleanerRemovedSocket, kClientOnce},
      {FaultPoint::kClientConnected, kClientOnce},
      {FaultPoint::kClientHelloSent, kClientOnce},
      {FaultPoint::kClientWelcomeReceived, kClientOnce},
      {FaultPoint::kClientSegmentMapped, kClientOnce},
      {FaultPoint::kClientLinked, kClientOnce},
      {FaultPoint::kServerAccepted, kServerOnce},
      {FaultPoint::kServerHelloReceived, kServerOnce},
      {FaultPoint::kServerSegmentMade, kServerOnce},
      {FaultPoint::kServerDoorbellsMade, kServerOnce},
      {FaultPoint::kServerWelcomeSent, kServerOnce},
      {FaultPoint::kRingReserved, kBothOften},
      {FaultPoint::kRingCommitted, kBothOften},
      {FaultPoint::kRingTailStored, kBothOften},
      {FaultPoint::kRingArmedForSpace, kBoth},
      {FaultPoint::kRingPopped, kBothOften},
      {FaultPoint::kRingHeadStored, kBothOften},
      {FaultPoint::kRingArmed, kBoth},
      {FaultPoint::kDoorbellTaken, kBoth},
      {FaultPoint::kDoorbellRung, kBoth},
      {FaultPoint::kFramesRead, kBothOften},
      {FaultPoint::kGoAwayQueued, kServerOnce},
      {FaultPoint::kGoAwaySent, kServerOnce},
      {FaultPoint::kSessionClosing, kBoth},
      {FaultPoint::kSessionClosed, kBoth},
  };
  return *places;
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const auto& [point, place] : Places()) {
    for (Role role : {kServer, kClient}) {
      if (!(role == kServer ? place.server : place.client)) continue;
      cases.push_back({point, role, 1, "stop"});
      if (place.often) cases.push_back({point, role, 6, "kill"});
    }
  }
  return cases;
}

// While it lives, processes that are started have the fault.
class Arming {
 public:
  explicit Arming(const Case& fault) {
    const std::string value =
        absl::StrCat(NameOf(fault.point), ":", fault.nth, ":", fault.action);
    setenv("GRPC_SHM_FAULT_POINT", value.c_str(), 1);
  }
  ~Arming() { unsetenv("GRPC_SHM_FAULT_POINT"); }
};

TEST(FaultPoints, HaveACaseEach) {
  for (int i = 0; kFaultPointNames[i] != nullptr; ++i) {
    EXPECT_EQ(Places().count(static_cast<FaultPoint>(i)), 1u)
        << kFaultPointNames[i] << " is new: say above who passes it";
  }
}

TEST(FaultPoints, ThatDoNotExistAreAnError) {
  for (const char* value : {"NoSuchPoint:1:kill", "NameLocked:0:kill",
                            "NameLocked:1:dance", "NameLocked"}) {
    setenv("GRPC_SHM_FAULT_POINT", value, 1);
    ChildProcess server("echo_server");
    unsetenv("GRPC_SHM_FAULT_POINT");
    ControlRequest request;
    request.mutable_start()->add_addresses(NewAddress(Transport::kShm));
    EXPECT_NE(server.Command(request).code(), 0) << value;
  }
}

// Threads of the reactor that stay when there is nothing to do: see reactor.h.
constexpr int kIdleThreads = 4;

// A process's threads that are this library's.
int OwnThreadsOf(pid_t pid) {
  int own = 0;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(
           "/proc/" + std::to_string(pid) + "/task", error)) {
    std::ifstream comm(task.path() / "comm");
    std::string name;
    if (std::getline(comm, name) && name.rfind("grpc-shm", 0) == 0) ++own;
  }
  return own;
}

class FaultPointTest : public ::testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() {
    // This process looks for a fault of its own only once: now.
    ReachFaultPoint(FaultPoint::kNameLockOpened);
    // What each process has once.
    const std::string address = NewAddress(Transport::kShm);
    auto server = StartServerAt(address);
    EXPECT_THAT(CallUnary(MakeChannel(address)), IsOk());
  }

  // Waits until the process has stopped or died, and has it dead; returns when
  // that happened (MonotonicNanos()).
  int64_t AwaitDeath(ChildProcess& process) {
    const int status = process.AwaitStop();
    stolen_ = StolenTime();
    if (WIFSTOPPED(status)) return process.Kill();
    EXPECT_TRUE(WIFSIGNALED(status))
        << "it never came to " << NameOf(GetParam().point);
    return MonotonicNanos();
  }

  void ExpectPrompt(int64_t ended, int64_t killed) const {
    EXPECT_LE(absl::Nanoseconds(ended - killed), kPromptly + stolen_.SoFar());
  }

 private:
  StolenTime stolen_;  // since the last death
};

// ---- Servers

using ServerFaultTest = FaultPointTest;

// A call that the server never ends, and when it did end.
class HeldCall {
 public:
  explicit HeldCall(const ChannelPtr& channel)
      : context_(NewContext(MakeScript("held", {WaitForCancellation()}))),
        call_(
            StartCall(StubFlavour::kCallback, UNARY, channel, context_.get())),
        thread_([this] {
          status_ = call_->Finish();
          ended_ = MonotonicNanos();
        }) {}
  ~HeldCall() {
    if (thread_.joinable()) thread_.join();
  }
  // Waits for the end.
  int64_t ended() {
    thread_.join();
    EXPECT_THAT(status_, HasCode(grpc::StatusCode::UNAVAILABLE));
    return ended_;
  }

 private:
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<ClientCall> call_;
  grpc::Status status_;
  int64_t ended_ = 0;
  std::thread thread_;
};

// Has the server pass all its points. Ends when it is dead.
class ServerLife {
 public:
  ServerLife(ChildProcess* server, std::string address, FaultPoint point)
      : server_(*server), address_(std::move(address)), point_(point) {}

  void Run() {
    Live();
    ended_ = MonotonicNanos();
    server_.HangUp();  // should it be alive, it ends by itself
  }

  // Null before it was made.
  const ChannelPtr& channel() const { return channel_; }
  HeldCall* held() { return held_.get(); }
  int64_t ended() const { return ended_; }

 private:
  void Live() {
    ControlRequest request;
    request.mutable_start()->add_addresses(address_);
    request.mutable_start()->set_flavour(CALLBACK);
    if (server_.Command(request).code() != 0) return;
    // A ring that is soon full.
    grpc::ChannelArguments arguments;
    arguments.SetInt(kRingBytesArg, 16 << 10);
    channel_ = MakeChannel(address_, arguments);
    if (!Call(UNARY, {})) return;
    held_ = std::make_unique<HeldCall>(channel_);
    // Who waits awake for space need not arm for it, as long as the client
    // reads fast enough.
    const bool until_dead = point_ == FaultPoint::kRingArmedForSpace;
    const absl::Time late = absl::Now() + kPatience;
    for (int i = 0; i < 3 || (until_dead && absl::Now() < late); ++i) {
      if (!Call(UNARY, {})) return;
      if (!Call(SERVER_STREAM,
                {WritePattern(100000, 1), WritePattern(100000, 2)}))
        return;
      if (!Call(UNARY, {}, 100000)) return;
    }
    request.mutable_shutdown()->set_grace_ms(1);
    if (server_.Command(request).code() != 0) return;
    request.mutable_await_event()->set_key("server");
    request.mutable_await_event()->set_event("shutdown");
    request.mutable_await_event()->set_count(1);
    request.mutable_await_event()->set_timeout_ms(
        absl::ToInt64Milliseconds(kPatience));
    server_.Command(request);
  }

  bool Call(CallKind kind, std::initializer_list<Step> steps,
            size_t bytes = 10) {
    auto context = NewContext(MakeScript("life", steps));
    auto call = StartCall(StubFlavour::kSync, kind, channel_, context.get(),
                          PatternRequest(bytes, 1));
    EchoReply reply;
    while (call->Read(&reply)) {
    }
    const grpc::Status status = call->Finish();
    if (!status.ok()) {
      EXPECT_THAT(status, HasCode(grpc::StatusCode::UNAVAILABLE));
    }
    return status.ok();
  }

  ChildProcess& server_;
  const std::string address_;
  const FaultPoint point_;
  ChannelPtr channel_;
  std::unique_ptr<HeldCall> held_;
  int64_t ended_ = 0;
};

TEST_P(ServerFaultTest, IsSurvived) {
  const std::string address = NewAddress(Transport::kShm);
  const ProcessResources before = ResourcesOf(getpid());
  {
    std::unique_ptr<ChildProcess> server;
    {
      const Arming arming(GetParam());
      server = std::make_unique<ChildProcess>("echo_server");
    }
    ServerLife life(server.get(), address, GetParam().point);
    std::thread thread([&life] { life.Run(); });
    const int64_t killed = AwaitDeath(*server);
    thread.join();
    ExpectPrompt(life.ended(), killed);
    if (life.held() != nullptr) ExpectPrompt(life.held()->ended(), killed);

    // Its name is free, and who had a channel goes on.
    ServerConfig config;
    config.add_addresses(address);
    auto next = TestServer::Start(Transport::kShm, config);
    ASSERT_TRUE(next.ok()) << next.status();
    ChannelPtr channel =
        life.channel() != nullptr ? life.channel() : MakeChannel(address);
    auto context = NewContext();
    context->set_wait_for_ready(true);
    EXPECT_THAT(CallUnary(channel, context.get()), IsOk());
    EXPECT_THAT(CallUnary(channel), IsOk());
    (*next)->BeginShutdown();
    EXPECT_NE((*next)->AwaitEvent("server", "shutdown"), 0);
  }
  EXPECT_THAT(LeftOf(address), IsEmpty());
  ProcessResources after;
  EXPECT_TRUE(Eventually([&] {
    after = ResourcesOf(getpid());
    return after.descriptors <= before.descriptors &&
           after.memfd_mappings <= before.memfd_mappings;
  })) << "before: "
      << before << "; after: " << after;
  EXPECT_TRUE(Eventually([&] {
    return OwnThreadsOf(getpid()) <= kIdleThreads;
  })) << OwnThreadsOf(getpid())
      << " threads";
}

// ---- Clients

using ClientFaultTest = FaultPointTest;

// Has the client pass all its points. Ends when it is dead.
class ClientLife {
 public:
  ClientLife(ChildProcess* client, TestServer* server, std::string address,
             FaultPoint point)
      : client_(*client),
        server_(*server),
        address_(std::move(address)),
        point_(point) {}

  void Run() {
    Live();
    client_.HangUp();
  }

  // Whether there was a call when it died, and when the server knew that it was
  // over.
  bool held() const { return held_; }

  // The client is dead.
  void OnDeath() { dead_.Notify(); }

 private:
  void Live() {
    if (!ConnectTo(address_) || !MakeCalls()) return;
    // The first channel's session ends.
    if (!ConnectTo(NewAddress(Transport::kShm)) || !ConnectTo(address_)) return;
    held_ = Start(UNARY, MakeScript("held", {WaitForCancellation()})) &&
            server_.AwaitEvent("held", "started") != 0;
    if (!held_ || !MakeCalls(/*await=*/false)) return;
    if (point_ == FaultPoint::kRingArmedForSpace) {
      // Nobody reads: what the windows allow fills the ring.
      server_.process()->Stop();
      for (int i = 0; i < 4; ++i) {
        if (!Start(CLIENT_STREAM, Script(), 1 << 20)) return;
      }
      return AwaitEnd();
    }
    if (point_ == FaultPoint::kCleanerLocked ||
        point_ == FaultPoint::kCleanerRemovedSocket) {
      held_ = false;
      server_.process()->Kill();
      // It cleans up after its calls have ended.
      dead_.WaitForNotificationWithTimeout(kPatience);
    }
  }

  void AwaitEnd() {
    ControlRequest request;
    request.mutable_await_calls()->set_timeout_ms(
        absl::ToInt64Milliseconds(kPatience));
    client_.Command(request);
  }

  bool ConnectTo(const std::string& address) {
    ControlRequest request;
    request.mutable_connect()->set_target(address);
    return client_.Command(request).code() == 0;
  }

  bool Start(CallKind kind, const Script& script, size_t bytes = 10) {
    ControlRequest request;
    StartCalls& start = *request.mutable_start_calls();
    start.set_count(1);
    start.set_kind(kind);
    start.set_script(script.SerializeAsString());
    start.set_request_bytes(bytes);
    start.set_keep_writing(kind == CLIENT_STREAM);
    return client_.Command(request).code() == 0;
  }

  // With a call that is held there is no waiting for those that are not; the
  // server tells.
  bool MakeCalls(bool await = true) {
    const std::string key = await ? "first" : "second";
    for (int i = 1; i <= 3; ++i) {
      if (!Start(UNARY, MakeScript(key, {EchoAll()})) ||
          !Start(UNARY, MakeScript(key, {EchoAll()}), 100000) ||
          !Start(SERVER_STREAM, MakeScript(key, {WritePattern(100000, 1),
                                                 WritePattern(100000, 2)})))
        return false;
      if (await) {
        ControlRequest request;
        request.mutable_await_calls()->set_timeout_ms(
            absl::ToInt64Milliseconds(kPatience));
        const ControlReply reply = client_.Command(request);
        if (reply.code() != 0 || reply.results_size() == 0) return false;
      } else if (server_.AwaitEvent(key, "finished", 3 * i, absl::Seconds(2)) ==
                 0) {
        return false;  // it is dead, or stopped
      }
    }
    return true;
  }

  ChildProcess& client_;
  TestServer& server_;
  const std::string address_;
  const FaultPoint point_;
  absl::Notification dead_;
  bool held_ = false;
};

TEST_P(ClientFaultTest, IsSurvived) {
  const FaultPoint point = GetParam().point;
  const bool stops_server = point == FaultPoint::kRingArmedForSpace;
  const bool kills_server = point == FaultPoint::kCleanerLocked ||
                            point == FaultPoint::kCleanerRemovedSocket;
  const std::string address = NewAddress(Transport::kShm);
  ServerConfig config;
  config.add_addresses(address);
  config.set_flavour(CALLBACK);
  auto server = TestServer::Start(Transport::kShm, config);
  ASSERT_TRUE(server.ok()) << server.status();
  ChannelPtr other = (*server)->NewChannel({});
  ASSERT_THAT(CallUnary(other), IsOk());
  const pid_t pid = (*server)->process()->pid();
  ASSERT_TRUE(Eventually([&] { return ResourcesOf(pid).memfd_mappings > 0; }));
  const ProcessResources before = ResourcesOf(pid);
  // Else it might be this process that removes the dead server's socket.
  if (kills_server) other.reset();

  std::unique_ptr<ChildProcess> client;
  {
    const Arming arming(GetParam());
    client = std::make_unique<ChildProcess>("call_driver");
  }
  ClientLife life(client.get(), server->get(), address, point);
  std::thread thread([&life] { life.Run(); });
  const int64_t killed = AwaitDeath(*client);
  life.OnDeath();
  if (stops_server) (*server)->process()->Signal(SIGCONT);
  thread.join();

  if (kills_server) {
    server = TestServer::Start(Transport::kShm, config);
    ASSERT_TRUE(server.ok()) << server.status();
    other = (*server)->NewChannel({});
    auto context = NewContext();
    context->set_wait_for_ready(true);
    EXPECT_THAT(CallUnary(other, context.get()), IsOk());
  } else {
    if (life.held() && !stops_server) {
      const int64_t ended = (*server)->AwaitEvent("held", "finished");
      ASSERT_NE(ended, 0);
      ExpectPrompt(ended, killed);
    }
    ProcessResources after;
    EXPECT_TRUE(Eventually([&] {
      after = ResourcesOf(pid);
      return after.descriptors <= before.descriptors &&
             after.memfd_mappings <= before.memfd_mappings &&
             OwnThreadsOf(pid) <= kIdleThreads;
    })) << "before: "
        << before << "; after: " << after;
  }
  const int64_t called = MonotonicNanos();
  EXPECT_THAT(CallUnary(other), IsOk());
  ExpectPrompt(MonotonicNanos(), called);
  EXPECT_THAT(CallUnary((*server)->NewChannel({})), IsOk());
}

std::vector<Case> CasesOf(Role role) {
  std::vector<Case> of_role;
  for (const Case& each : Cases()) {
    if (each.role == role) of_role.push_back(each);
  }
  return of_role;
}

std::string CaseName(const ::testing::TestParamInfo<Case>& info) {
  return absl::StrCat(NameOf(info.param.point), "_", info.param.nth, "_",
                      info.param.action);
}

INSTANTIATE_TEST_SUITE_P(Points, ServerFaultTest,
                         ::testing::ValuesIn(CasesOf(kServer)), CaseName);
INSTANTIATE_TEST_SUITE_P(Points, ClientFaultTest,
                         ::testing::ValuesIn(CasesOf(kClient)), CaseName);

}  // namespace
}  // namespace testing
}  // namespace grpc_shm

#endif  // NDEBUG
