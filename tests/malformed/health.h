// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_MALFORMED_HEALTH_H_
#define GRPC_SHM_TESTS_MALFORMED_HEALTH_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "tests/integration/process_resources.h"
#include "tests/integration/test_server.h"
#include "tests/malformed/raw_link.h"

namespace grpc_shm {
namespace testing {

// Whether the process comes to rest: it uses next to no CPU time for a while.
// One that spins never does.
bool ComesToRest(pid_t pid);

// Fails the test if the peer does not hang up.
void ExpectHangUp(int socket);

// The payload of a call's first frame, of a method of EchoService.
std::string StartOf(const std::string& method, const Script& script = {});

// A server process under attack, and its honest clients.
class VictimServer {
 public:
  // `transport`: which ways calls go in the server.
  explicit VictimServer(Transport transport, const ServerConfig& config = {});
  // Fails the test unless the process ends as it should.
  ~VictimServer();

  TestServer& server() { return *server_; }
  pid_t pid() { return server_->process()->pid(); }
  const std::string& address() const { return address_; }
  std::string socket_path() const;

  // A link to it, made by hand.
  RawLink NewLink(const wire::Hello& hello = GoodHello());

  // What it holds now is what it may hold later.
  void TakeStock();

  // The honest client that had its link before.
  grpc::Status CallHonestly();

  // Fails the test unless clients are served, old and new, nothing is held that
  // was not held before any attack, and nothing is going on.
  void ExpectUnharmed();

 private:
  const std::string address_;
  std::unique_ptr<TestServer> server_;
  ChannelPtr honest_;
  ProcessResources before_;
};

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_MALFORMED_HEALTH_H_
