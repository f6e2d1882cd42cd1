// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Callers of a mailbox that die or stop while their calls wait in it: nobody
// else has to wait for them, and nothing is left.

#include <signal.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "tests/crash/client_process.h"
#include "tests/integration/transport_test.h"
#include "transport/mailbox.h"

namespace grpc_shm {
namespace testing {
namespace {

class MailboxCallerTest : public ::testing::Test {
 protected:
  MailboxCallerTest() : address_(NewAddress(Transport::kMailbox)) {
    absl::StatusOr<std::unique_ptr<Mailbox>> mailbox =
        Mailbox::Create(address_);
    EXPECT_TRUE(mailbox.ok()) << mailbox.status();
    mailbox_ = *std::move(mailbox);
    client_ = NewClientProcess(address_, Transport::kMailbox);
  }
  ~MailboxCallerTest() override { Mailbox::Destroy(address_).IgnoreError(); }

  void StartServer() {
    ServerConfig config;
    config.add_addresses(address_);
    config.set_max_mailbox_calls(1);
    absl::StatusOr<std::unique_ptr<TestServer>> server =
        TestServer::Start(Transport::kMailbox, config);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  void StartCalls(int count, const Script& script) {
    ControlRequest request;
    auto& start = *request.mutable_start_calls();
    start.set_kind(UNARY);
    start.set_count(count);
    start.set_script(script.SerializeAsString());
    start.set_timeout_ms(absl::ToInt64Milliseconds(kPatience));
    EXPECT_EQ(client_->Command(request).code(), 0);
  }

  void AwaitWaiting(uint64_t count) {
    const absl::Time end = absl::Now() + kPatience;
    while (mailbox_->Describe().waiting != count && absl::Now() < end)
      absl::SleepFor(absl::Milliseconds(1));
    EXPECT_EQ(mailbox_->Describe().waiting, count);
  }

  // Sockets in the rendezvous directory.
  static int Sockets() {
    int sockets = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(RendezvousDirectory()))
      sockets += entry.is_socket();
    return sockets;
  }

  const std::string address_;
  std::unique_ptr<Mailbox> mailbox_;
  std::unique_ptr<ChildProcess> client_;
  std::unique_ptr<TestServer> server_;
};

TEST_F(MailboxCallerTest, CallsOfTheDeadAreDropped) {
  StartCalls(5, MakeScript("dead"));
  AwaitWaiting(5);
  client_->Kill();
  StartServer();
  EXPECT_THAT(CallUnary(MakeChannel(address_)), IsOk());
  AwaitWaiting(0);
  EXPECT_EQ(server_->CountEvents("dead", "started"), 0);
  // Its socket as well, and ours goes with the channel.
  EXPECT_EQ(Sockets(), 0);
}

TEST_F(MailboxCallerTest, ASocketIsRemovedByAServerThatHadALink) {
  StartServer();
  StartCalls(1, MakeScript("running", {WaitForCancellation()}));
  ASSERT_NE(server_->AwaitEvent("running", "started"), 0);
  EXPECT_EQ(Sockets(), 1);
  client_->Kill();
  ASSERT_NE(server_->AwaitEvent("running", "finished"), 0);
  // After the handler was told.
  const absl::Time end = absl::Now() + kPatience;
  while (Sockets() > 0 && absl::Now() < end)
    absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(Sockets(), 0);
}

TEST_F(MailboxCallerTest, WhoIsStoppedHoldsUpNobodyElse) {
  StartCalls(3, MakeScript("stopped"));
  AwaitWaiting(3);
  client_->Stop();
  StartServer();
  // Long before the server gives up shaking hands with the other one.
  const ChannelPtr channel = MakeChannel(address_);
  const absl::Time start = absl::Now();
  for (int i = 0; i < 10; ++i) EXPECT_THAT(CallUnary(channel), IsOk());
  EXPECT_LE(absl::Now() - start, absl::Seconds(3));
  EXPECT_EQ(server_->CountEvents("stopped", "started"), 0);
  client_->Signal(SIGCONT);
  EXPECT_NE(server_->AwaitEvent("stopped", "finished", 3), 0);
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
