// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Whatever goes wrong, neither the statuses that applications get nor the logs
// tell an address in memory, or a name by which somebody else could get at a
// segment. Everything that can go wrong is provoked, and all words collected.

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <regex>
#include <thread>

#include "proto/wire.pb.h"
#include "tests/crash/client_process.h"
#include "tests/integration/echo.grpc.pb.h"
#include "tests/integration/steps.h"
#include "tests/integration/transport_test.h"
#include "transport/channel.h"
#include "transport/link/handshake.h"
#include "transport/link/handshake_messages.h"
#include "transport/link/link.h"
#include "transport/link/listening_name.h"
#include "transport/link/packet.h"
#include "transport/options.h"
#include "transport/server.h"

namespace grpc_shm {
namespace testing {
namespace {

// Hexadecimal numbers as long as an address, marked as such or not (with a
// letter and a digit, so that words and times are none); what /proc, the shared
// memory file system and we call segments; what stands for a link.
const char* const kForbidden[] = {
    "0x[0-9a-fA-F]{5,}",
    "\\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{9,16}\\b",
    "/dev/shm",
    "memfd",
    "grpc-shm-link",
    "/proc/",
    "\\b[0-9a-f]{32}\\b",
};

std::string Forbidden(const std::string& text) {
  for (const char* pattern : kForbidden) {
    std::smatch match;
    if (std::regex_search(text, match, std::regex(pattern))) {
      return match.str();
    }
  }
  return "";
}

TEST(Disclosure, WhatIsForbiddenIsFound) {
  char text[100];
  int local = 0;
  snprintf(text, sizeof(text), "at %p", static_cast<void*>(&local));
  EXPECT_NE(Forbidden(text), "");
  snprintf(text, sizeof(text), "at %lx.",
           reinterpret_cast<unsigned long>(&local));
  EXPECT_NE(Forbidden(text), "");
  EXPECT_NE(Forbidden("/dev/shm/name"), "");
  EXPECT_EQ(Forbidden("shm:echo-1: nobody is listening at /tmp/x.sock"), "");
}

// All that is written to stderr while this exists, here and by children.
class Stderr {
 public:
  Stderr() : saved_(dup(STDERR_FILENO)) {
    fflush(stderr);
    const UniqueFd file(
        open(path_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0600));
    dup2(file.get(), STDERR_FILENO);
  }
  ~Stderr() { End(); }

  std::string End() {
    if (saved_.valid()) {
      fflush(stderr);
      dup2(saved_.get(), STDERR_FILENO);
      saved_ = UniqueFd();
    }
    std::ifstream file(path_);
    return std::string((std::istreambuf_iterator<char>(file)), {});
  }

 private:
  const std::string path_ = TestDirectory() + "/stderr";
  UniqueFd saved_;
};

void AwaitReadable(int fd) {
  pollfd waiting = {fd, POLLIN, 0};
  poll(&waiting, 1, -1);
}

// Until the peer has written something.
void AwaitRecord(Link* link) {
  const UniqueFd rings(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event = {EPOLLIN | EPOLLET, {}};
  epoll_ctl(rings.get(), EPOLL_CTL_ADD, link->doorbell_fd(), &event);
  while (link->consumer().Arm()) epoll_wait(rings.get(), &event, 1, -1);
}

class DisclosureTest : public ::testing::Test {
 protected:
  // Something that went wrong, as it must have.
  void Add(const char* what, int code, const std::string& message) {
    EXPECT_NE(code, 0) << what;
    EXPECT_EQ(Forbidden(message), "") << what << ": " << message;
    ++provoked_;
  }
  void Add(const char* what, const grpc::Status& status) {
    Add(what, status.error_code(), status.error_message());
    EXPECT_EQ(Forbidden(status.error_details()), "") << what;
  }
  void Add(const char* what, const absl::Status& status) {
    Add(what, static_cast<int>(status.code()), std::string(status.message()));
  }

  // A server by hand: answers Hello with `answer`.
  grpc::Status CallServerThatSays(const std::string& answer) {
    const std::string address = NewAddress(Transport::kShm);
    auto listening = ListeningName::Acquire(address.substr(4), 1);
    EXPECT_TRUE(listening.ok()) << listening.status();
    std::thread server([&] {
      AwaitReadable((*listening)->fd());
      absl::StatusOr<UniqueFd> socket = Accept((*listening)->fd());
      ASSERT_TRUE(socket.ok()) << socket.status();
      AwaitReadable(socket->get());
      ASSERT_TRUE(SendPacket(socket->get(), answer).ok());
    });
    const grpc::Status status = CallUnary(CreateChannel(address));
    server.join();
    return status;
  }

  // A server by hand that shakes hands, and then writes what is no frame.
  grpc::Status CallServerThatWritesGarbage() {
    const std::string address = NewAddress(Transport::kShm);
    auto listening = ListeningName::Acquire(address.substr(4), 1);
    EXPECT_TRUE(listening.ok()) << listening.status();
    std::unique_ptr<Link> link;
    std::thread server([&] {
      AwaitReadable((*listening)->fd());
      absl::StatusOr<UniqueFd> socket = Accept((*listening)->fd());
      ASSERT_TRUE(socket.ok()) << socket.status();
      AwaitReadable(socket->get());
      auto made =
          AnswerHello(*std::move(socket), address.substr(4), LinkOptions());
      ASSERT_TRUE(made.ok()) << made.status();
      link = *std::move(made);
      AwaitRecord(link.get());  // else the call waits for another link
      ASSERT_NE(link->producer().TryReserve(0), nullptr);
      link->producer().Commit({0, /*type=*/200, 0, 0, /*call_id=*/77});
      if (link->producer().Publish()) link->RingDoorbell();
    });
    const grpc::Status status = CallUnary(CreateChannel(address));
    server.join();
    return status;
  }

  int provoked_ = 0;
};

TEST_F(DisclosureTest, NoErrorAndNoLogTellsAnAddressOrASegment) {
  Stderr log;

  // Addresses and names.
  Add("malformed", CallUnary(CreateChannel("shm:a/b\xff\x01")));
  Add("too long", CallUnary(CreateChannel("shm:" + std::string(65, 'n'))));
  Add("nobody", CallUnary(CreateChannel(NewAddress(Transport::kShm))));
  const std::string address = NewAddress(Transport::kShm);
  auto server = StartServerAt(address);
  ServerConfig config;
  config.add_addresses(address);
  Add("taken", TestServer::Start(Transport::kShm, config).status());

  // The directory.
  ASSERT_EQ(chmod(RendezvousDirectory().c_str(), 0755), 0);
  Add("mode", CallUnary(CreateChannel(address)));
  Add("mode", ListeningName::Acquire("n", 1).status());
  ASSERT_EQ(chmod(RendezvousDirectory().c_str(), 0700), 0);
  for (const char* directory :
       {"/nowhere/at/all", "relative", "/proc/self/fd", "/dev/null", "/tmp"}) {
    grpc::ChannelArguments arguments;
    arguments.SetString(kDirectoryArg, directory);
    const grpc::Status status =
        CallUnary(CreateChannel(address, nullptr, arguments));
    EXPECT_FALSE(status.ok()) << directory;  // it says what it was told
  }

  // Other users.
  if (geteuid() == 0) {
    ChildProcess client("call_driver");
    ControlRequest become;
    become.set_become_user(65534);
    ASSERT_EQ(client.Command(become).code(), 0);
    Connect(client, address);
    const CallResult result = CallFrom(client);
    Add("another user", result.code(), result.message());
  }

  // Hand-shakes.
  wire::Answer answer;
  Add("garbage", CallServerThatSays("garbage"));
  answer.set_magic(kHandshakeMagic);
  answer.set_version(kProtocolVersion + 1);
  Add("version", CallServerThatSays(answer.SerializeAsString()));
  answer.set_version(kProtocolVersion);
  Add("nothing", CallServerThatSays(answer.SerializeAsString()));
  answer.mutable_welcome()->set_ring_bytes(1);
  Add("no descriptors", CallServerThatSays(answer.SerializeAsString()));
  auto mute = ListeningName::Acquire("mute", 1);
  grpc::ChannelArguments impatient;
  impatient.SetInt(kHandshakeTimeoutMsArg, 10);
  Add("mute", CallUnary(CreateChannel("shm:mute", nullptr, impatient)));

  // A link.
  const grpc::Status broken = CallServerThatWritesGarbage();
  Add("broken protocol", broken);
  EXPECT_THAT(broken.error_message(), ::testing::HasSubstr("broke the link"));
  auto big = NewContext();
  big->AddMetadata("big", std::string(200000, 'x'));
  Add("metadata", CallUnary(CreateChannel(address), big.get()));
  auto context = NewContext();
  Add("message", CallUnary(CreateChannel(address), context.get(),
                           PatternRequest(5 << 20, 1)));
  auto late = NewContext(absl::Milliseconds(1));
  AddScript(MakeScript("late", {WaitForGate("never")}), late.get());
  Add("deadline", CallUnary(CreateChannel(address), late.get()));

  // A client without descriptors, a server without address space.
  {
    auto client = NewClientProcess(NewAddress(Transport::kShm));
    const CallResult first = CallFrom(*client);
    Add("nobody", first.code(), first.message());
    ControlRequest limit;
    limit.mutable_limit_resource()->set_spare(1);
    ASSERT_EQ(client->Command(limit).code(), 0);
    Connect(*client, address);
    const CallResult result = CallFrom(*client);
    Add("descriptors", result.code(), result.message());

    limit.mutable_limit_resource()->set_address_space(true);
    limit.mutable_limit_resource()->set_spare(230 << 20);
    ASSERT_EQ(server->Command(limit).code(), 0);
    grpc::ChannelArguments arguments;
    arguments.SetInt(kRingBytesArg, 64 << 20);
    Add("address space", CallUnary(CreateChannel(address, nullptr, arguments)));
  }

  // Death, in the middle of a call.
  {
    ChannelPtr channel = CreateChannel(address);
    auto context = NewContext();
    AddScript(MakeScript("victim", {WaitForGate("never")}), context.get());
    std::thread killer([&] {
      EXPECT_NE(server->AwaitEvent("victim", "started"), 0);
      server->process()->Kill();
    });
    Add("death", CallUnary(channel, context.get()));
    killer.join();
  }

  const std::string logged = log.End();
  EXPECT_EQ(Forbidden(logged), "") << logged;
  EXPECT_GE(provoked_, 19);
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm
