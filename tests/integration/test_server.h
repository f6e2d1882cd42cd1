// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_TEST_SERVER_H_
#define GRPC_SHM_TESTS_INTEGRATION_TEST_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/support/channel_arguments.h"
#include "tests/integration/child_process.h"
#include "tests/integration/client_call.h"
#include "tests/integration/control.pb.h"

namespace grpc_shm {
namespace testing {

// Through shared memory a call may go two ways on each side: past gRPC's call
// machinery in the client's process ("typed"), and to a handler that runs on
// the thread that has read the request ("inline"), or not. kShm has the
// defaults: both, where they apply.
enum class Transport {
  kShm,
  kShmTyped,      // not inline
  kShmInline,     // not typed
  kShmUniversal,  // neither: what every call can do
  kMailbox,       // calls through a mailbox, with the defaults: both
  kMailboxUniversal,
  kUnix,
  kInproc,
};

std::string TransportName(Transport transport);
// Through shared memory, directly or through a mailbox.
bool IsShm(Transport transport);
bool IsMailbox(Transport transport);
// What is allowed, not what is done: not every stub or service can.
bool MakesTypedCalls(Transport transport);
bool DispatchesInline(Transport transport);

// The private directory of this test process, with every socket it makes;
// $GRPC_SHM_DIR is a directory in it. $GRPC_SHM_MAILBOX_DIR is another private
// directory, in /dev/shm, with every mailbox.
const std::string& TestDirectory();
std::string RendezvousDirectory();

// An address of that transport that no test has used before; empty for the
// in-process channel, which has none.
std::string NewAddress(Transport transport);

// How long a test waits for what must happen, before it fails.
inline constexpr absl::Duration kPatience = absl::Seconds(30);

// The longest that one side may take to learn what happened to the other.
inline constexpr absl::Duration kPromptly = absl::Milliseconds(100);

// A server (see ServerHost) in a process of its own, or for the in-process
// channel in this one.
class TestServer {
 public:
  // Returns why the server did not start. A mailbox that the test has not given
  // the address of goes with its server.
  static absl::StatusOr<std::unique_ptr<TestServer>> Start(Transport transport,
                                                           ServerConfig config);
  virtual ~TestServer() = default;

  virtual ControlReply Command(const ControlRequest& request) = 0;
  virtual ChannelPtr NewChannel(const grpc::ChannelArguments& arguments) = 0;
  // Null for the in-process channel.
  virtual ChildProcess* process() { return nullptr; }

  // MonotonicNanos() of the event's latest occurrence, once it has happened
  // `count` times; zero if it has not in time.
  int64_t AwaitEvent(const std::string& key, const std::string& event,
                     int64_t count = 1, absl::Duration timeout = kPatience);
  // How often the event has happened until now.
  int64_t CountEvents(const std::string& key, const std::string& event);
  void OpenGate(const std::string& gate);
  // Starts Server::Shutdown, whose return is the event "shutdown" of "server".
  void BeginShutdown(absl::Duration grace = absl::InfiniteDuration());
};

// A channel to a "shm:" or "mailbox:" address by grpc_shm::CreateChannel, to
// any other by gRPC itself.
ChannelPtr MakeChannel(const std::string& address,
                       const grpc::ChannelArguments& arguments = {});

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_TEST_SERVER_H_
