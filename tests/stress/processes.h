// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_STRESS_PROCESSES_H_
#define GRPC_SHM_TESTS_STRESS_PROCESSES_H_

#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/integration/child_process.h"
#include "tests/integration/process_resources.h"
#include "tests/integration/test_server.h"
#include "tests/stress/mixed_load.h"
#include "transport/mailbox.h"

namespace grpc_shm {
namespace testing {

// The servers and the clients of a stress test, one process each, all of which
// can be replaced at any time. Each client calls each server; so does the test
// itself, if it likes, by MixedLoad. Failures are the test's.
class Processes {
 public:
  enum class Mailboxes { kNone, kBoth };

  // kBoth: clients also call through a mailbox that all servers take calls
  // from, and share another one for raw messages.
  Processes(int servers, int clients, Mailboxes mailboxes = Mailboxes::kNone);
  ~Processes();

  // What there is to call.
  const std::vector<std::string>& addresses() const { return addresses_; }
  // Of raw messages; "": none.
  std::string raw_mailbox() const {
    return raw_ != nullptr ? "mailbox:" + raw_->name() : "";
  }
  // What is left there, once nobody uses it, is whole, and nobody has it.
  void CheckRawMailbox();

  ChildProcess& server(size_t i) { return *servers_[i]->process(); }
  ChildProcess& client(size_t i) { return *clients_[i]; }

  // Kills it, and starts another one at once.
  void KillServer(size_t i);
  void KillClient(size_t i);

  // Asks what it has seen, and replaces it by another one: first lets calls end
  // (for 50 ms), the other one has all end.
  void ShutDownServer(size_t i);
  void EndClient(size_t i);

  void StartClients();
  // Asks them what they have seen, and ends them.
  void EndClients();

 private:
  void StartServer(size_t i);
  void StartClient(size_t i);
  void AskClient(size_t i);
  void AskServer(size_t i);

  const size_t server_count_;
  const size_t client_count_;
  std::vector<std::string> addresses_;  // of each server; then the mailbox
  std::unique_ptr<Mailbox> raw_;
  std::vector<std::unique_ptr<TestServer>> servers_;
  std::vector<std::unique_ptr<ChildProcess>> clients_;
};

// What this process has of its heap.
size_t HeapBytes();

// What this process has, to be compared when it should have it again.
struct Baseline {
  ProcessResources resources;
  size_t heap_bytes;

  static Baseline Take();
  // Waits until nothing is left of what came since, but `heap_bytes_more`.
  void ExpectRestored(size_t heap_bytes_more) const;
};

void ExpectNoErrors(const MixedLoad::Totals& totals, const std::string& whose);

// The value of "--NAME=NUMBER" among the arguments.
int64_t Flag(int argc, char** argv, const std::string& name, int64_t otherwise);

using Random = std::minstd_rand;
inline size_t Pick(Random& random, size_t count) {
  return std::uniform_int_distribution<size_t>(0, count - 1)(random);
}

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_STRESS_PROCESSES_H_
