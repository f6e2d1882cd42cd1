// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Processes of other users call, where ListenerOptions::peer_policy and
// kServerUidsArg let them. The server is this process, of root, with a
// directory that it shares; clients are children that have become somebody
// else.

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "tests/crash/client_process.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/transport_test.h"
#include "tests/unit/link/other_user.h"
#include "transport/channel.h"
#include "transport/link/handshake.h"
#include "transport/link/socket_address.h"
#include "transport/options.h"
#include "transport/peer_identity.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {
namespace {

using ::testing::HasSubstr;

// Remembers who called last.
class Registrar : public EchoService::Service {
 public:
  PeerIdentity last() {
    absl::MutexLock lock(&mutex_);
    return last_;
  }

 private:
  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest*,
                     EchoReply*) override {
    const absl::StatusOr<PeerIdentity> peer = PeerIdentity::From(*context);
    if (!peer.ok()) {
      return grpc::Status(grpc::StatusCode::INTERNAL,
                          std::string(peer.status().message()));
    }
    absl::MutexLock lock(&mutex_);
    last_ = *peer;
    return grpc::Status::OK;
  }

  absl::Mutex mutex_;
  PeerIdentity last_ ABSL_GUARDED_BY(mutex_) = {};
};

class StrangerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CanBecomeOthers()) GTEST_SKIP() << "needs root to become other users";
    char path[] = "/tmp/grpc-shm-shared-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    directory_ = path;
    ASSERT_EQ(chmod(path, 0755), 0);
    options_.directory = directory_;
  }
  void TearDown() override {
    server_.reset();
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  void Serve() {
    ServerBuilder builder;
    builder.Listen("shm:greeter", options_).RegisterService(&service_);
    absl::Status error;
    server_ = builder.BuildAndStart(&error);
    ASSERT_NE(server_, nullptr) << error;
  }

  // A client process of that user, with a channel that takes root for a server.
  std::unique_ptr<ChildProcess> NewClient(uint32_t user, bool typed = true) {
    auto client = std::make_unique<ChildProcess>("call_driver");
    ControlRequest request;
    request.set_become_user(user);
    EXPECT_EQ(client->Command(request).code(), 0);
    auto& channel = *request.mutable_connect();
    channel.set_target("shm:greeter");
    channel.set_directory(directory_);
    channel.set_server_uids("0");
    channel.set_without_typed_calls(!typed);
    EXPECT_EQ(client->Command(request).code(), 0);
    return client;
  }

  std::string directory_;
  ListenerOptions options_;
  Registrar service_;
  std::unique_ptr<Server> server_;
};

TEST_F(StrangerTest, WhoIsAdmittedCallsAndIsKnown) {
  options_.peer_policy.uids = {kAlice};
  options_.peer_policy.gids = {kBob};
  for (const bool inline_dispatch : {true, false}) {
    options_.inline_dispatch = inline_dispatch;
    Serve();
    for (const uint32_t user : {kAlice, kBob}) {
      for (const bool typed : {true, false}) {
        auto client = NewClient(user, typed);
        const CallResult result = CallFrom(*client);
        EXPECT_EQ(result.code(), 0) << result.message();
        EXPECT_EQ(service_.last().uid, user);
        EXPECT_EQ(service_.last().gid, user);
        EXPECT_EQ(service_.last().pid, client->pid());
      }
    }
    server_.reset();
  }
}

TEST_F(StrangerTest, WhoIsNotAdmittedIsDenied) {
  options_.peer_policy.uids = {kAlice};
  Serve();
  const CallResult result = CallFrom(*NewClient(kBob));
  EXPECT_EQ(result.code(), grpc::StatusCode::PERMISSION_DENIED)
      << result.message();
  EXPECT_THAT(result.message(), HasSubstr("the client"));
  EXPECT_EQ(service_.last().pid, 0);
  // Others notice nothing.
  EXPECT_EQ(CallFrom(*NewClient(kAlice)).code(), 0);
}

// The server's own user needs no policy, but has to look in that directory.
TEST_F(StrangerTest, TheServersOwnUserIsAdmitted) {
  options_.peer_policy.uids = {kAlice};
  Serve();
  EXPECT_EQ(CallFrom(*NewClient(0)).code(), 0);
}

TEST_F(StrangerTest, AServerThatIsNotNamedIsDenied) {
  options_.peer_policy.uids = {kAlice};
  Serve();
  auto client = NewClient(kAlice);
  ControlRequest request;
  auto& channel = *request.mutable_connect();
  channel.set_target("shm:greeter");
  channel.set_directory(directory_);
  for (const char* servers : {"", "61002", "61002,61001"}) {
    channel.set_server_uids(servers);
    ASSERT_EQ(client->Command(request).code(), 0);
    const CallResult result = CallFrom(*client);
    EXPECT_EQ(result.code(), grpc::StatusCode::PERMISSION_DENIED)
        << result.message();
  }
  EXPECT_EQ(service_.last().pid, 0);
  channel.set_server_uids("61002,0");
  ASSERT_EQ(client->Command(request).code(), 0);
  EXPECT_EQ(CallFrom(*client).code(), 0);
}

TEST_F(StrangerTest, UidsThatAreNoneAreInvalid) {
  for (const char* servers : {"root", "0,-1", "4294967296", "1;2", " "}) {
    grpc::ChannelArguments arguments;
    arguments.SetString(kServerUidsArg, servers);
    const grpc::Status status =
        CallUnary(CreateChannel("shm:greeter", nullptr, arguments));
    EXPECT_THAT(status, HasCode(grpc::StatusCode::INVALID_ARGUMENT)) << servers;
    EXPECT_THAT(status.error_message(), HasSubstr(kServerUidsArg));
  }
}

// Whoever is not admitted takes no link's place, however often and however
// silently it connects.
TEST_F(StrangerTest, WhoIsNotAdmittedTakesNoPlace) {
  options_.peer_policy.uids = {kAlice};
  options_.max_links = 1;
  Serve();
  const std::string path = directory_ + "/greeter.sock";
  std::vector<UniqueFd> silent;
  // To the kernel a thread can be Bob by itself.
  std::thread bob([&] {
    ASSERT_EQ(syscall(SYS_setresuid, -1, kBob, -1), 0);
    for (int i = 0; i < 50; ++i) {
      silent.emplace_back(
          socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const sockaddr_un address = SocketAddress(path);
      EXPECT_EQ(::connect(silent.back().get(),
                          reinterpret_cast<const sockaddr*>(&address),
                          sizeof(address)),
                0);
    }
  });
  bob.join();
  EXPECT_EQ(CallFrom(*NewClient(kAlice)).code(), 0);
}

TEST_F(StrangerTest, AServerNeedsADirectoryThatIsItsOwnToWrite) {
  options_.peer_policy.uids = {kAlice};
  absl::Status error;
  ASSERT_EQ(chmod(directory_.c_str(), 0775), 0);
  EXPECT_EQ(ServerBuilder()
                .Listen("shm:greeter", options_)
                .RegisterService(&service_)
                .BuildAndStart(&error),
            nullptr);
  EXPECT_EQ(error.code(), absl::StatusCode::kPermissionDenied) << error;
  options_.directory = directory_ + "/missing";
  EXPECT_EQ(ServerBuilder()
                .Listen("shm:greeter", options_)
                .RegisterService(&service_)
                .BuildAndStart(&error),
            nullptr);
  EXPECT_EQ(error.code(), absl::StatusCode::kNotFound) << error;
}

// A client of another user waits for a server, notices it, and notices its
// death; whether it may list the directory or not.
TEST_F(StrangerTest, ServersComeAndGo) {
  options_.peer_policy.uids = {kAlice};
  for (const mode_t mode : {0755, 0711}) {
    ASSERT_EQ(chmod(directory_.c_str(), mode), 0);
    auto client = NewClient(kAlice);
    EXPECT_EQ(CallFrom(*client).code(), grpc::StatusCode::UNAVAILABLE);
    Serve();
    EXPECT_EQ(CallFrom(*client).code(), 0);
    server_->Shutdown();
    server_.reset();
    EXPECT_EQ(CallFrom(*client).code(), grpc::StatusCode::UNAVAILABLE);
    Serve();
    EXPECT_EQ(CallFrom(*client).code(), 0);
    server_.reset();
  }
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
