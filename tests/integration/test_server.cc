// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/test_server.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "tests/integration/server_host.h"
#include "transport/channel.h"
#include "transport/mailbox.h"
#include "transport/options.h"

namespace grpc_shm {
namespace testing {
namespace {

std::string MakeTestDirectory() {
  // Not below $TEST_TMPDIR, whose path is too long for a socket address.
  std::string path = "/tmp/grpc-shm-test-XXXXXX";
  if (mkdtemp(&path[0]) == nullptr) abort();
  const std::string rendezvous = path + "/shm";
  if (mkdir(rendezvous.c_str(), 0700) != 0) abort();
  setenv("GRPC_SHM_DIR", rendezvous.c_str(), 1);
  return path;
}

std::string MakeMailboxDirectory() {
  std::string path = "/dev/shm/grpc-shm-test-XXXXXX";
  if (mkdtemp(&path[0]) == nullptr) abort();
  setenv("GRPC_SHM_MAILBOX_DIR", path.c_str(), 1);
  return path;
}

const std::string& MailboxDirectory() {
  static const auto* directory = new std::string(MakeMailboxDirectory());
  return *directory;
}

// A channel that was let go of may still be connecting, and makes the
// rendezvous directory where there is none: by its path, which leads nowhere
// from here on.
void Remove(const std::string& directory) {
  const std::string removed = directory + "-removed";
  std::filesystem::rename(directory, removed);
  std::filesystem::remove_all(removed);
}

class DirectoryRemoval : public ::testing::Environment {
 public:
  void SetUp() override {
    TestDirectory();
    MailboxDirectory();
  }
  void TearDown() override {
    Remove(TestDirectory());
    Remove(MailboxDirectory());
  }
};

const ::testing::Environment* const kDirectoryRemoval =
    ::testing::AddGlobalTestEnvironment(new DirectoryRemoval);

class ProcessServer : public TestServer {
 public:
  ProcessServer(Transport transport, std::string address, bool owns_mailbox)
      : process_("echo_server"),
        transport_(transport),
        address_(std::move(address)),
        owns_mailbox_(owns_mailbox) {}
  ~ProcessServer() override {
    if (owns_mailbox_) Mailbox::Destroy(address_).IgnoreError();
  }

  ControlReply Command(const ControlRequest& request) override {
    return process_.Command(request);
  }
  ChannelPtr NewChannel(const grpc::ChannelArguments& arguments) override {
    grpc::ChannelArguments all = arguments;
    if (IsShm(transport_) && !MakesTypedCalls(transport_)) {
      all.SetInt(kTypedCallsArg, 0);
    }
    return MakeChannel(address_, all);
  }
  ChildProcess* process() override { return &process_; }

 private:
  ChildProcess process_;
  const Transport transport_;
  const std::string address_;
  const bool owns_mailbox_;
};

class InprocServer : public TestServer {
 public:
  explicit InprocServer(std::unique_ptr<ServerHost> host)
      : host_(std::move(host)) {}

  ControlReply Command(const ControlRequest& request) override {
    return host_->Handle(request);
  }
  ChannelPtr NewChannel(const grpc::ChannelArguments& arguments) override {
    return host_->grpc_server()->InProcessChannel(arguments);
  }

 private:
  std::unique_ptr<ServerHost> host_;
};

}  // namespace

std::string TransportName(Transport transport) {
  switch (transport) {
    case Transport::kShm:
      return "shm";
    case Transport::kShmTyped:
      return "shm_typed";
    case Transport::kShmInline:
      return "shm_inline";
    case Transport::kShmUniversal:
      return "shm_universal";
    case Transport::kMailbox:
      return "mailbox";
    case Transport::kMailboxUniversal:
      return "mailbox_universal";
    case Transport::kUnix:
      return "unix";
    default:
      return "inproc";
  }
}

bool IsShm(Transport transport) {
  return transport != Transport::kUnix && transport != Transport::kInproc;
}

bool IsMailbox(Transport transport) {
  return transport == Transport::kMailbox ||
         transport == Transport::kMailboxUniversal;
}

bool MakesTypedCalls(Transport transport) {
  return transport == Transport::kShm || transport == Transport::kShmTyped ||
         transport == Transport::kMailbox;
}

bool DispatchesInline(Transport transport) {
  return transport == Transport::kShm || transport == Transport::kShmInline ||
         transport == Transport::kMailbox;
}

const std::string& TestDirectory() {
  static const auto* directory = new std::string(MakeTestDirectory());
  return *directory;
}

std::string RendezvousDirectory() { return TestDirectory() + "/shm"; }

std::string NewAddress(Transport transport) {
  static std::atomic<int> next{1};
  const std::string name = absl::StrCat("echo-", next++);
  switch (transport) {
    case Transport::kUnix:
      return absl::StrCat("unix:", TestDirectory(), "/", name);
    case Transport::kInproc:
      return "";
    case Transport::kMailbox:
    case Transport::kMailboxUniversal:
      return "mailbox:" + name;
    default:
      return "shm:" + name;
  }
}

ChannelPtr MakeChannel(const std::string& address,
                       const grpc::ChannelArguments& arguments) {
  if (absl::StartsWith(address, "shm:") ||
      absl::StartsWith(address, "mailbox:")) {
    return CreateChannel(address, nullptr, arguments);
  }
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

absl::StatusOr<std::unique_ptr<TestServer>> TestServer::Start(
    Transport transport, ServerConfig config) {
  if (transport == Transport::kInproc) {
    absl::StatusOr<std::unique_ptr<ServerHost>> host =
        ServerHost::Start(config);
    if (!host.ok()) return host.status();
    return std::make_unique<InprocServer>(*std::move(host));
  }
  const bool has_address = !config.addresses().empty();
  if (!has_address) config.add_addresses(NewAddress(transport));
  config.set_without_inline_dispatch(!DispatchesInline(transport));
  auto server = std::make_unique<ProcessServer>(
      transport, config.addresses(0), IsMailbox(transport) && !has_address);
  ControlRequest request;
  *request.mutable_start() = config;
  const ControlReply reply = server->Command(request);
  if (reply.code() != 0) {
    return absl::Status(static_cast<absl::StatusCode>(reply.code()),
                        reply.message());
  }
  return server;
}

int64_t TestServer::AwaitEvent(const std::string& key, const std::string& event,
                               int64_t count, absl::Duration timeout) {
  ControlRequest request;
  request.mutable_await_event()->set_key(key);
  request.mutable_await_event()->set_event(event);
  request.mutable_await_event()->set_count(count);
  request.mutable_await_event()->set_timeout_ms(
      absl::ToInt64Milliseconds(timeout));
  const ControlReply reply = Command(request);
  return reply.count() >= count ? reply.monotonic_ns() : 0;
}

int64_t TestServer::CountEvents(const std::string& key,
                                const std::string& event) {
  ControlRequest request;
  request.mutable_await_event()->set_key(key);
  request.mutable_await_event()->set_event(event);
  return Command(request).count();
}

void TestServer::OpenGate(const std::string& gate) {
  ControlRequest request;
  request.set_open_gate(gate);
  Command(request);
}

void TestServer::BeginShutdown(absl::Duration grace) {
  ControlRequest request;
  request.mutable_shutdown()->set_grace_ms(
      grace == absl::InfiniteDuration() ? 0 : absl::ToInt64Milliseconds(grace));
  Command(request);
}

}  // namespace testing
}  // namespace grpc_shm
