// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/malformed/health.h"

#include <poll.h>
#include <sys/wait.h>
#include <time.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/transport_test.h"

namespace grpc_shm {
namespace testing {
namespace {

// CPU time that the process has used so far.
absl::Duration CpuTime(pid_t pid) {
  clockid_t clock;
  timespec used{};
  if (clock_getcpuclockid(pid, &clock) == 0) clock_gettime(clock, &used);
  return absl::DurationFromTimespec(used);
}

std::unique_ptr<TestServer> Start(Transport transport,
                                  const std::string& address,
                                  ServerConfig config) {
  config.add_addresses(address);
  auto server = TestServer::Start(transport, config);
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? *std::move(server) : nullptr;
}

}  // namespace

bool ComesToRest(pid_t pid) {
  static constexpr absl::Duration kWhile = absl::Milliseconds(20);
  return Eventually([pid] {
    const absl::Duration before = CpuTime(pid);
    absl::SleepFor(kWhile);
    return CpuTime(pid) - before < kWhile / 10;
  });
}

void ExpectHangUp(int socket) {
  pollfd poll_fd = {socket, POLLRDHUP, 0};
  EXPECT_EQ(
      poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(kPatience))),
      1)
      << "the link goes on";
}

std::string StartOf(const std::string& method, const Script& script) {
  wire::CallStart start;
  start.set_method("/grpc_shm.testing.EchoService/" + method);
  start.set_authority("localhost");
  if (script.ByteSizeLong() > 0) {
    wire::Metadatum* const field = start.add_metadata();
    field->set_key("script-bin");
    field->set_value(script.SerializeAsString());
  }
  return start.SerializeAsString();
}

VictimServer::VictimServer(Transport transport, const ServerConfig& config)
    : address_(NewAddress(transport)),
      server_(Start(transport, address_, config)),
      honest_(server_->NewChannel({})) {
  // Everything that a process makes only once, it makes now.
  EXPECT_THAT(CallHonestly(), IsOk());
  EXPECT_THAT(CallUnary(server_->NewChannel({})), IsOk());
  TakeStock();
}

void VictimServer::TakeStock() {
  EXPECT_TRUE(ComesToRest(pid()));
  before_ = ResourcesOf(pid());
}

VictimServer::~VictimServer() {
  const int status = server_->process()->Finish();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

std::string VictimServer::socket_path() const {
  return absl::StrCat(RendezvousDirectory(), "/",
                      address_.substr(address_.find(':') + 1), ".sock");
}

RawLink VictimServer::NewLink(const wire::Hello& hello) {
  UniqueFd socket = ConnectRaw(socket_path());
  EXPECT_TRUE(SendRaw(socket.get(), hello.SerializeAsString()));
  absl::optional<RawLink> link = RawLink::ReceiveWelcome(std::move(socket));
  EXPECT_TRUE(link.has_value()) << "no link";
  return *std::move(link);
}

grpc::Status VictimServer::CallHonestly() { return CallUnary(honest_); }

void VictimServer::ExpectUnharmed() {
  EXPECT_THAT(CallHonestly(), IsOk());
  EXPECT_THAT(CallUnary(server_->NewChannel({})), IsOk());
  EXPECT_TRUE(Eventually([this] {
    const ProcessResources now = ResourcesOf(pid());
    return now.descriptors <= before_.descriptors &&
           now.memfd_mappings <= before_.memfd_mappings;
  })) << "now "
      << ResourcesOf(pid()) << ", before " << before_;
  EXPECT_TRUE(ComesToRest(pid()));
}

}  // namespace testing
}  // namespace grpc_shm
