// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Everything at once, for a time: calls of all kinds, direct and through a
// mailbox, and raw messages of another one, in three processes; servers and
// clients that are killed, stopped, restarted and starved of
// descriptors; children that are forked meanwhile. Every reply is checked; in
// the end memory, descriptors and the counters of lost wake-ups are what they
// were.
//
//   ./bazelw test //tests/stress:soak --test_arg=--seconds=300
//       --test_timeout=600 --test_output=all
//
// The clock does not jump: what grpc-shm measures is CLOCK_MONOTONIC alone,
// which nobody can set (a time namespace shifts it before a process starts),
// and a clock_gettime that lies about CLOCK_REALTIME would tell gRPC and Abseil
// another time than the kernel that wakes them.

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/stress/processes.h"
#include "transport/call/message_block.h"
#include "transport/stats.h"

namespace grpc_shm {
namespace testing {
namespace {

int64_t seconds = 15;

constexpr size_t kServers = 2;
constexpr size_t kClients = 2;
constexpr size_t kHeapBytes = 4 << 20;
// Who is stopped for a second between publishing and ringing counts as a lost
// wake-up.
constexpr size_t kLongestStopMs = 400;

class Soak : public ::testing::Test {
 protected:
  void StopFor(ChildProcess& process) {
    process.Stop();
    absl::SleepFor(absl::Milliseconds(Pick(random_, kLongestStopMs)));
    process.Signal(SIGCONT);
  }

  // It has to do with the descriptors that it has, or nearly so: some of its
  // calls fail, others wait in vain until it is gone.
  void Starve(size_t client) {
    ControlRequest request;
    request.mutable_limit_resource()->set_spare(Pick(random_, 5));
    EXPECT_EQ(processes_.client(client).Command(request).code(), 0);
    absl::SleepFor(absl::Milliseconds(Pick(random_, 300)));
    processes_.KillClient(client);
  }

  void Fork() {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    int status;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }

  // Returns its name.
  std::string OneEvent() {
    const size_t server = Pick(random_, kServers);
    const size_t client = Pick(random_, kClients);
    switch (Pick(random_, 8)) {
      case 0:
        processes_.KillServer(server);
        return "server killed";
      case 1:
        processes_.KillClient(client);
        return "client killed";
      case 2:
        StopFor(processes_.server(server));
        return "server stopped";
      case 3:
        StopFor(processes_.client(client));
        return "client stopped";
      case 4:
        processes_.ShutDownServer(server);
        return "server restarted";
      case 5:
        processes_.EndClient(client);
        return "client restarted";
      case 6:
        Starve(client);
        return "client starved";
      default:
        Fork();
        return "forked";
    }
  }

  Random random_{static_cast<Random::result_type>(getpid())};
  Processes processes_{kServers, kClients, Processes::Mailboxes::kBoth};
};

TEST_F(Soak, Survives) {
  MixedLoad::Options options;
  options.targets = processes_.addresses();
  options.mailbox = processes_.raw_mailbox();
  {
    MixedLoad load(options);
    while (load.calls() < 500) absl::SleepFor(absl::Milliseconds(1));
  }
  const Baseline before = Baseline::Take();
  processes_.StartClients();
  MixedLoad load(options);
  std::map<std::string, int> events;
  const absl::Time begin = absl::Now();
  const absl::Time end = begin + absl::Seconds(seconds);
  absl::Time told = begin;
  // Of this process, whose load goes on: what leaks is there when least is.
  // Blocks that are kept for messages fill up, and are not counted.
  size_t least_heap_bytes = SIZE_MAX;
  while (absl::Now() < end && !HasFailure()) {
    absl::SleepFor(absl::Milliseconds(Pick(random_, 100)));
    ++events[OneEvent()];
    const size_t kept_bytes = MessageBlock::kept();
    least_heap_bytes = std::min(least_heap_bytes, HeapBytes() - kept_bytes);
    if (absl::Now() >= told + absl::Minutes(1)) {
      told = absl::Now();
      printf("%.0f s: %ld calls, at least %zu bytes of heap\n",
             absl::ToDoubleSeconds(told - begin), load.calls(),
             std::exchange(least_heap_bytes, SIZE_MAX));
      fflush(stdout);
    }
  }
  processes_.EndClients();
  const MixedLoad::Totals totals = load.Stop();
  ExpectNoErrors(totals, "this process");
  before.ExpectRestored(kHeapBytes);
  processes_.CheckRawMailbox();
  EXPECT_EQ(LostWakeups(), 0u);
  for (size_t i = 0; i < kServers; ++i) processes_.ShutDownServer(i);
  printf(
      "%ld calls succeeded here, %ld were unavailable, %ld cancelled; %ld raw "
      "messages\n",
      totals.succeeded, totals.unavailable, totals.cancelled, totals.messages);
  for (const auto& [event, count] : events)
    printf("%s: %d\n", event.c_str(), count);
}

}  // namespace
}  // namespace testing
}  // namespace grpc_shm

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  grpc_shm::testing::seconds = grpc_shm::testing::Flag(
      argc, argv, "seconds", grpc_shm::testing::seconds);
  return RUN_ALL_TESTS();
}
