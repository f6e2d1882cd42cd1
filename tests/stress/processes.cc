// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/stress/processes.h"

#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/stress/raw_messages.h"

namespace grpc_shm {
namespace testing {
namespace {

constexpr int kClientThreads = 2;
constexpr char kRawMailbox[] = "mailbox:raw";
constexpr uint32_t kRawMessages = 16;

}  // namespace

Processes::Processes(int servers, int clients, Mailboxes mailboxes)
    : server_count_(servers), client_count_(clients) {
  for (size_t i = 0; i < server_count_; ++i)
    addresses_.push_back(NewAddress(Transport::kShm));
  if (mailboxes == Mailboxes::kBoth) {
    addresses_.push_back(NewAddress(Transport::kMailbox));
    MailboxOptions options;
    options.capacity = MailboxCapacity::Bounded(kRawMessages);
    options.max_message_bytes = RawMessages::kMaxBytes;
    auto raw = Mailbox::Create(kRawMailbox, options);
    EXPECT_TRUE(raw.ok()) << raw.status();
    if (raw.ok()) raw_ = *std::move(raw);
  }
  servers_.resize(server_count_);
  for (size_t i = 0; i < server_count_; ++i) StartServer(i);
}

Processes::~Processes() {
  if (raw_ == nullptr) return;
  EXPECT_TRUE(Mailbox::Destroy(kRawMailbox).ok());
  EXPECT_TRUE(Mailbox::Destroy(addresses_.back()).ok());
}

void Processes::CheckRawMailbox() {
  EXPECT_TRUE(Eventually([this] {
    const MailboxInfo info = raw_->Describe();
    return info.participants == 1 && info.unacknowledged == 0;
  })) << raw_->Describe().participants
      << " have it, and " << raw_->Describe().unacknowledged
      << " messages are nobody's";
  RawMessages rest(kRawMailbox);
  int64_t received;
  do {
    received = rest.received();
    const absl::Status status = rest.Receive(/*acknowledge=*/true);
    EXPECT_TRUE(status.ok()) << status;
  } while (rest.received() > received);
  // As many places as ever.
  std::vector<Mailbox::Loan> places;
  for (uint32_t i = 0; i < kRawMessages; ++i) {
    auto loan = raw_->TryLoanFor(1);
    ASSERT_TRUE(loan.ok()) << "place " << i << ": " << loan.status();
    places.push_back(*std::move(loan));
  }
}

void Processes::StartServer(size_t i) {
  ServerConfig config;
  config.add_addresses(addresses_[i]);
  if (addresses_.size() > server_count_)
    config.add_addresses(addresses_.back());
  // With the first kind handlers run on the threads that read.
  config.set_flavour(i % 2 == 0 ? SYNC : CALLBACK);
  config.set_max_receive_message_bytes(-1);
  auto server = TestServer::Start(Transport::kShm, config);
  ASSERT_TRUE(server.ok()) << server.status();
  servers_[i] = *std::move(server);
}

void Processes::StartClient(size_t i) {
  clients_[i] = std::make_unique<ChildProcess>("../stress/load_driver");
  ControlRequest request;
  for (const std::string& address : addresses_) {
    request.mutable_connect()->set_target(address);
    ASSERT_EQ(clients_[i]->Command(request).code(), 0);
  }
  if (raw_ != nullptr) {
    request.mutable_subscribe()->set_mailbox(kRawMailbox);
    ASSERT_EQ(clients_[i]->Command(request).code(), 0);
  }
  request.mutable_start_calls()->set_count(kClientThreads);
  ASSERT_EQ(clients_[i]->Command(request).code(), 0);
}

void Processes::StartClients() {
  clients_.resize(client_count_);
  for (size_t i = 0; i < client_count_; ++i) StartClient(i);
}

void Processes::KillServer(size_t i) {
  server(i).Kill();
  StartServer(i);
}

void Processes::KillClient(size_t i) {
  client(i).Kill();
  StartClient(i);
}

void Processes::AskClient(size_t i) {
  ControlRequest request;
  request.mutable_await_calls();
  const ControlReply reply = client(i).Command(request);
  EXPECT_EQ(reply.code(), 0) << "client " << i << ": " << reply.message();
  for (const CallResult& result : reply.results())
    ADD_FAILURE() << "client " << i << ": " << result.message();
}

void Processes::AskServer(size_t i) {
  EXPECT_EQ(servers_[i]->CountEvents("process", "lost wake-ups"), 0)
      << "server " << i;
}

void Processes::ShutDownServer(size_t i) {
  AskServer(i);
  servers_[i]->BeginShutdown(absl::Milliseconds(50));
  EXPECT_NE(servers_[i]->AwaitEvent("server", "shutdown"), 0);
  EXPECT_EQ(server(i).Finish(), 0);
  StartServer(i);
}

void Processes::EndClient(size_t i) {
  AskClient(i);
  EXPECT_EQ(client(i).Finish(), 0);
  StartClient(i);
}

void Processes::EndClients() {
  for (size_t i = 0; i < clients_.size(); ++i) {
    AskClient(i);
    EXPECT_EQ(client(i).Finish(), 0);
  }
  clients_.clear();
}

size_t HeapBytes() {
  const struct mallinfo2 heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

Baseline Baseline::Take() { return {ResourcesOf(getpid()), HeapBytes()}; }

void Baseline::ExpectRestored(size_t heap_bytes_more) const {
  Baseline now;
  // Blocks for messages are kept for a while after the last one.
  EXPECT_TRUE(Eventually([&] {
    now = Take();
    return now.resources.descriptors <= resources.descriptors &&
           now.resources.memfd_mappings <= resources.memfd_mappings &&
           now.heap_bytes <= heap_bytes + heap_bytes_more;
  })) << "before: "
      << resources << ", " << heap_bytes << " bytes; after: " << now.resources
      << ", " << now.heap_bytes << " bytes";
  // Pools breathe by a few threads.
  EXPECT_LE(now.resources.threads, resources.threads + 8);
}

void ExpectNoErrors(const MixedLoad::Totals& totals, const std::string& whose) {
  EXPECT_EQ(totals.error_count, 0) << whose;
  for (const std::string& error : totals.errors)
    ADD_FAILURE() << whose << ": " << error;
  EXPECT_GT(totals.succeeded, 0) << whose;
}

int64_t Flag(int argc, char** argv, const std::string& name,
             int64_t otherwise) {
  const std::string prefix = absl::StrCat("--", name, "=");
  for (int i = 1; i < argc; ++i) {
    if (absl::StartsWith(argv[i], prefix))
      return atoll(argv[i] + prefix.size());
  }
  return otherwise;
}

}  // namespace testing
}  // namespace grpc_shm
