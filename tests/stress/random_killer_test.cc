// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

// Servers and clients that are killed at random moments of a mixed load, over
// and over: no reply is wrong, no call hangs, nothing stays with those who
// survive.
//
//   ./bazelw test //tests/stress:random_killer_test --test_arg=--kills=10000
//       --test_timeout=7200

#include <stdio.h>
#include <unistd.h>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/stress/processes.h"
#include "transport/stats.h"

namespace grpc_shm {
namespace testing {
namespace {

int64_t kills = 60;

constexpr size_t kServers = 2;
constexpr size_t kClients = 2;
constexpr size_t kHeapBytes = 4 << 20;

class RandomKiller : public ::testing::Test {
 protected:
  RandomKiller() {
    options_.targets = processes_.addresses();
    options_.threads = 2;
    // What everybody makes once is there before anything is compared.
    processes_.StartClients();
    {
      MixedLoad load(options_);
      while (load.calls() < 300) absl::SleepFor(absl::Milliseconds(1));
    }
    processes_.EndClients();
    for (size_t i = 0; i < kServers; ++i) {
      EXPECT_TRUE(Eventually([&] { return OfServer(i).memfd_mappings == 0; }));
      servers_.push_back(OfServer(i));
    }
    before_ = Baseline::Take();
  }

  ProcessResources OfServer(size_t i) {
    return ResourcesOf(processes_.server(i).pid());
  }

  void Kill(int64_t count, bool servers, bool clients) {
    processes_.StartClients();
    MixedLoad load(options_);
    for (int64_t i = 0; i < count && !HasFailure(); ++i) {
      absl::SleepFor(absl::Microseconds(Pick(random_, 20000)));
      if (servers && (!clients || Pick(random_, 2) == 0)) {
        processes_.KillServer(Pick(random_, kServers));
      } else {
        processes_.KillClient(Pick(random_, kClients));
      }
    }
    processes_.EndClients();
    const MixedLoad::Totals totals = load.Stop();
    ExpectNoErrors(totals, "this process");
    printf("%ld kills; %ld calls succeeded here, %ld were unavailable\n", count,
           totals.succeeded, totals.unavailable);
    before_.ExpectRestored(kHeapBytes);
    EXPECT_EQ(LostWakeups(), 0u);
  }

  Random random_{static_cast<Random::result_type>(getpid())};
  Processes processes_{kServers, kClients};
  MixedLoad::Options options_;
  std::vector<ProcessResources> servers_;
  Baseline before_;
};

TEST_F(RandomKiller, OfClientsLeavesServersAsTheyWere) {
  Kill(kills / 4, false, true);
  for (size_t i = 0; i < kServers; ++i) {
    ProcessResources after;
    EXPECT_TRUE(Eventually([&] {
      after = OfServer(i);
      return after.descriptors <= servers_[i].descriptors &&
             after.memfd_mappings == 0;
    })) << "before: "
        << servers_[i] << "; after: " << after;
    EXPECT_LE(after.threads, servers_[i].threads + 8);
  }
}

TEST_F(RandomKiller, OfServersLeavesClientsAsTheyWere) {
  Kill(kills / 4, true, false);
}

TEST_F(RandomKiller, OfBothHurtsNobodyElse) { Kill(kills / 2, true, true); }

}  // namespace
}  // namespace testing
}  // namespace grpc_shm

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  grpc_shm::testing::kills =
      grpc_shm::testing::Flag(argc, argv, "kills", grpc_shm::testing::kills);
  return RUN_ALL_TESTS();
}
