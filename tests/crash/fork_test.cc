// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// A child that is forked without an exec: its use of what the parent has fails
// cleanly, the parent notices nothing, and nobody takes the child for its
// parent.

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/crash/client_process.h"
#include "tests/crash/lifetime_process.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/process_resources.h"
#include "tests/integration/transport_test.h"
#include "tests/unit/mailbox/temporary_mailboxes.h"
#include "transport/channel.h"
#include "transport/mailbox.h"
#include "transport/server.h"
#include "transport/stats.h"

namespace grpc_shm {
namespace testing {
namespace {

// Runs `body` in a child, which must not hang; returns what it returns, or -1.
int InChild(absl::FunctionRef<int()> body, bool with_destructors = false) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    const int code = body();
    if (with_destructors) exit(code);
    _exit(code);
  }
  int status;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool FailsCleanly(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::FAILED_PRECONDITION;
}

class ForkTest : public ::testing::TestWithParam<Transport> {
 protected:
  void SetUp() override {
    config_.add_addresses(NewAddress(GetParam()));
    auto server = TestServer::Start(GetParam(), config_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = server_->NewChannel({});
    ASSERT_THAT(CallUnary(channel_), IsOk());
  }

  ServerConfig config_;
  std::unique_ptr<TestServer> server_;
  ChannelPtr channel_;
};

TEST_P(ForkTest, ChildsCallsFailAndTheParentsGoOn) {
  auto context = NewContext();
  auto stream = StartCall(StubFlavour::kSync, BIDI, channel_, context.get());
  EchoReply reply;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(stream->Write(PatternRequest(1000, i)));
    const int code = InChild(
        [&] {
          if (!FailsCleanly(CallUnary(channel_))) return 1;
          for (CallKind kind : {UNARY, CLIENT_STREAM, SERVER_STREAM, BIDI}) {
            auto own_context = NewContext();
            auto call = StartCall(StubFlavour::kSync, kind, channel_,
                                  own_context.get());
            EchoReply none;
            if (call->Read(&none)) return 2;
            if (!FailsCleanly(call->Finish())) return 3;
          }
          if (channel_->GetState(true) != GRPC_CHANNEL_SHUTDOWN) return 4;
          if (!FailsCleanly(CallUnary(server_->NewChannel({})))) return 5;
          // The parent's own call.
          if (stream->Write(PatternRequest(1000, 7))) return 6;
          if (FailsCleanly(stream->Finish())) return 0;
          return 7;
        },
        /*with_destructors=*/true);
    EXPECT_EQ(code, 0);
    ASSERT_TRUE(stream->Read(&reply));
    EXPECT_EQ(reply.payload(), PatternRequest(1000, i).payload());
    EXPECT_THAT(CallUnary(channel_), IsOk());
  }
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_THAT(stream->Finish(), IsOk());
  EXPECT_EQ(LostWakeups(), 0u);
}

TEST_P(ForkTest, ChildCanDestroyWhatTheParentHas) {
  ChannelPtr second = server_->NewChannel({});
  ASSERT_THAT(CallUnary(second), IsOk());
  EXPECT_EQ(InChild(
                [&] {
                  channel_.reset();
                  second.reset();
                  return 0;
                },
                /*with_destructors=*/true),
            0);
  EXPECT_THAT(CallUnary(channel_), IsOk());
  EXPECT_THAT(CallUnary(second), IsOk());
}

// Threads that are in the middle of whatever calls do, until they are stopped.
class Callers {
 public:
  explicit Callers(ChannelPtr channel) {
    for (int i = 0; i < 3; ++i) {
      threads_.emplace_back([this, channel, i] {
        const EchoRequest request = PatternRequest(20000, i);
        while (!stop_.load()) {
          EchoReply reply;
          auto context = NewContext();
          const grpc::Status status =
              CallUnary(channel, context.get(), request, &reply);
          if (!status.ok() || reply.payload() != request.payload()) ++failed_;
        }
      });
    }
  }
  ~Callers() {
    stop_.store(true);
    for (std::thread& thread : threads_) thread.join();
    EXPECT_EQ(failed_.load(), 0);
    EXPECT_EQ(LostWakeups(), 0u);
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<int> failed_{0};
  std::vector<std::thread> threads_;
};

// Whatever other threads are about to do at that moment, and whatever locks
// they have: some are gRPC's (grpc_init's, which every completion queue
// passes), so that the child can only end, or exec.
TEST_P(ForkTest, ParentMayBeBusy) {
  const Callers callers(channel_);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(InChild([i] {
                if (i % 2 == 0) return 0;
                execl("/bin/true", "true", nullptr);
                return 1;
              }),
              0)
        << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Transports, ForkTest,
                         ::testing::ValuesIn(ShmTransports()),
                         [](const auto& info) {
                           return TransportName(info.param);
                         });

TEST(ForkedChild, DoesNotHideItsParentsDeath) {
  const std::string address = NewAddress(Transport::kShm);
  auto server = StartServerAt(address);
  const pid_t pid = server->process()->pid();
  ASSERT_THAT(CallUnary(server->NewChannel({})), IsOk());
  ASSERT_TRUE(Eventually([&] { return ResourcesOf(pid).memfd_mappings == 0; }));
  const ProcessResources before = ResourcesOf(pid);
  LifetimeProcess client("client-with-a-child", address);
  ASSERT_GT(client.AwaitReady(), 0);
  EXPECT_GT(ResourcesOf(pid).memfd_mappings, 0);
  const int64_t killed = client.Kill();
  ASSERT_TRUE(Eventually([&] { return ResourcesOf(pid).memfd_mappings == 0; }));
  EXPECT_LE(absl::Nanoseconds(MonotonicNanos() - killed), kPromptly);
  EXPECT_TRUE(Eventually(
      [&] { return ResourcesOf(pid).descriptors <= before.descriptors; }));
}

TEST(ForkedChild, DoesNotHideItsServersDeath) {
  const std::string address = NewAddress(Transport::kShm);
  LifetimeProcess first("server-with-a-child", address);
  ASSERT_GT(first.AwaitReady(), 0);
  ChannelPtr channel = CreateChannel(address);
  ASSERT_THAT(CallUnary(channel), IsOk());
  const int64_t killed = first.Kill();
  EXPECT_TRUE(channel->WaitForStateChange(
      GRPC_CHANNEL_READY, absl::ToChronoTime(absl::Now() + kPatience)));
  EXPECT_LE(absl::Nanoseconds(MonotonicNanos() - killed), kPromptly);
  EXPECT_THAT(CallUnary(channel), HasCode(grpc::StatusCode::UNAVAILABLE));
  // Its name is free.
  auto second = StartServerAt(address);
  ASSERT_NE(second, nullptr);
  EXPECT_THAT(CallUnary(channel), IsOk());
}

TEST(ForkedChild, ThatExitsLeavesItsServerAlone) {
  const std::string address = NewAddress(Transport::kShm);
  LifetimeProcess server("server-whose-child-exits", address);
  const pid_t child = server.AwaitReady();
  ASSERT_GT(child, 0);
  // A zombie has no descriptors left.
  ASSERT_TRUE(Eventually([&] { return ResourcesOf(child).descriptors == 0; }));
  EXPECT_THAT(CallUnary(CreateChannel(address)), IsOk());
}

TEST(ForkedChild, ThatReturnsFromAHandlerLeavesItsServerAlone) {
  const std::string address = NewAddress(Transport::kShm);
  LifetimeProcess server("server-whose-handler-forks", address);
  ASSERT_EQ(server.AwaitReady(), 0);
  ChannelPtr channel = CreateChannel(address);
  for (int i = 0; i < 20; ++i) EXPECT_THAT(CallUnary(channel), IsOk()) << i;
}

TEST(ForkedChild, LeavesItsParentsMailboxAlone) {
  const TemporaryMailboxes mailboxes;
  auto mailbox = Mailbox::Create("mailbox:parents");
  ASSERT_TRUE(mailbox.ok()) << mailbox.status();
  ASSERT_TRUE((*mailbox)->Send("received").ok());
  ASSERT_TRUE((*mailbox)->Send("waiting").ok());
  absl::StatusOr<Mailbox::Message> message = (*mailbox)->TryReceive();
  ASSERT_TRUE(message.ok()) << message.status();
  const auto fails = [](const absl::Status& status) {
    return absl::IsFailedPrecondition(status);
  };
  EXPECT_EQ(InChild([&] {
              if (!fails((*mailbox)->TrySend("no"))) return 1;
              if (!fails((*mailbox)->TryReceive().status())) return 2;
              if (!fails(Mailbox::Open("mailbox:parents").status())) return 3;
              message = absl::CancelledError();
              mailbox->reset();
              return 0;
            }),
            0);
  EXPECT_EQ(message->view(), "received");
  EXPECT_EQ((*mailbox)->Describe().participants, 1u);
  EXPECT_EQ((*mailbox)->Describe().unacknowledged, 1u);
  message->Acknowledge();
  message = (*mailbox)->TryReceive();
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->view(), "waiting");
  EXPECT_FALSE(message->redelivered());
}

// Descriptors that are open, and not closed by an exec.
std::set<int> Inheritable() {
  std::set<int> found;
  for (int fd = 3; fd < 4096; ++fd) {
    const int flags = fcntl(fd, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) found.insert(fd);
  }
  return found;
}

TEST(Exec, InheritsNothing) {
  const std::set<int> before = Inheritable();
  const std::string address = NewAddress(Transport::kShm);
  auto server = StartServerAt(address);
  ChannelPtr channel = server->NewChannel({});
  ChannelPtr waiting = CreateChannel(NewAddress(Transport::kShm));
  EXPECT_THAT(CallUnary(channel), IsOk());
  EXPECT_THAT(CallUnary(waiting), HasCode(grpc::StatusCode::UNAVAILABLE));
  AdditionService::Service service;
  ServerBuilder builder;
  builder.Listen(NewAddress(Transport::kShm)).RegisterService(&service);
  auto own = builder.BuildAndStart();
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(Inheritable(), before);
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
