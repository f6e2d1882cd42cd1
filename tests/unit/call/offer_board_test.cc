// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/call/offer_board.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "transport/memory/sealed_memfd.h"

namespace grpc_shm {
namespace {

using Claim = OfferBoard::Claim;

constexpr uint32_t kSlot = 5;
constexpr uint64_t kNumber = 77;
constexpr uint16_t kLink = 3;

// A caller's board, and the same as a server has it.
class OfferBoardTest : public testing::Test {
 protected:
  OfferBoardTest() {
    absl::StatusOr<std::unique_ptr<OfferBoard>> caller = OfferBoard::Create();
    EXPECT_TRUE(caller.ok()) << caller.status();
    caller_ = *std::move(caller);
    absl::StatusOr<std::unique_ptr<OfferBoard>> server =
        OfferBoard::Open(UniqueFd(fcntl(caller_->fd(), F_DUPFD_CLOEXEC, 0)));
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    caller_->OpenLink(kLink);
  }

  std::unique_ptr<OfferBoard> caller_;
  std::unique_ptr<OfferBoard> server_;
};

TEST_F(OfferBoardTest, ACallIsClaimedOnce) {
  caller_->OpenLink(kLink + 1);
  caller_->Offer(kSlot, kNumber);
  EXPECT_EQ(caller_->Claimant(kSlot, kNumber), kOfferNobodys);
  EXPECT_EQ(server_->TryClaim(kSlot, kNumber, kLink), Claim::kClaimed);
  EXPECT_EQ(server_->TryClaim(kSlot, kNumber, kLink + 1), Claim::kGone);
  EXPECT_EQ(server_->TryClaim(kSlot, kNumber, kLink), Claim::kGone);
  EXPECT_EQ(caller_->Claimant(kSlot, kNumber), kLink);
  EXPECT_FALSE(caller_->Withdraw(kSlot, kNumber));
}

TEST_F(OfferBoardTest, ACallThatWasWithdrawnIsNotClaimed) {
  caller_->Offer(kSlot, kNumber);
  EXPECT_TRUE(caller_->Withdraw(kSlot, kNumber));
  EXPECT_EQ(server_->TryClaim(kSlot, kNumber, kLink), Claim::kGone);
  EXPECT_EQ(caller_->Claimant(kSlot, kNumber), kOfferNobodys);
}

// An old offer may be delivered again long after its slot has another call.
TEST_F(OfferBoardTest, ASlotThatIsUsedAgainIsAnotherCalls) {
  caller_->Offer(kSlot, kNumber);
  EXPECT_TRUE(caller_->Withdraw(kSlot, kNumber));
  caller_->Offer(kSlot, kNumber + 1);
  EXPECT_EQ(server_->TryClaim(kSlot, kNumber, kLink), Claim::kGone);
  EXPECT_EQ(server_->TryClaim(kSlot, kNumber + 1, kLink), Claim::kClaimed);
  EXPECT_EQ(caller_->Claimant(kSlot, kNumber), kOfferNobodys);
}

TEST_F(OfferBoardTest, AClosedLinkClaimsNothing) {
  caller_->Offer(kSlot, kNumber);
  caller_->CloseLink(kLink);
  EXPECT_EQ(server_->TryClaim(kSlot, kNumber, kLink), Claim::kLinkClosed);
  EXPECT_EQ(caller_->Claimant(kSlot, kNumber), kOfferNobodys);
  caller_->OpenLink(kLink + 1);
  EXPECT_EQ(server_->TryClaim(kSlot, kNumber, kLink + 1), Claim::kClaimed);
}

TEST_F(OfferBoardTest, NonsenseClaimsNothing) {
  EXPECT_EQ(server_->TryClaim(kOfferSlots, kNumber, kLink), Claim::kGone);
  EXPECT_EQ(server_->TryClaim(0xffffffff, kNumber, kLink), Claim::kGone);
  EXPECT_EQ(server_->TryClaim(kSlot, ~uint64_t{0}, kLink), Claim::kGone);
  EXPECT_EQ(server_->TryClaim(kSlot, 0, kLink), Claim::kGone);
}

TEST_F(OfferBoardTest, OfThreadsThatClaimAndWithdrawOneWins) {
  constexpr int kRounds = 2000;
  constexpr int kServers = 3;
  for (int i = 0; i < kServers; ++i) caller_->OpenLink(kLink + i);
  std::vector<std::atomic<int>> winners(kRounds);
  std::atomic<uint64_t> offered{0};
  std::vector<std::thread> servers;
  for (int i = 0; i < kServers; ++i) {
    servers.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        while (offered.load() <= static_cast<uint64_t>(round))
          std::this_thread::yield();
        if (server_->TryClaim(kSlot, round + 1, kLink + i) == Claim::kClaimed)
          winners[round].fetch_add(1);
      }
    });
  }
  for (int round = 0; round < kRounds; ++round) {
    caller_->Offer(kSlot, round + 1);
    offered.store(round + 1);
    if (caller_->Withdraw(kSlot, round + 1)) {
      winners[round].fetch_add(1);
    } else {
      EXPECT_NE(caller_->Claimant(kSlot, round + 1), kOfferNobodys);
    }
  }
  for (std::thread& server : servers) server.join();
  for (int round = 0; round < kRounds; ++round) EXPECT_EQ(winners[round], 1);
}

// The caller closes the link while its server claims: either the caller takes
// the claim for one, and the call is never another's; or the server does not,
// and it is.
TEST_F(OfferBoardTest, AClaimAndTheEndOfItsLinkAgree) {
  constexpr int kRounds = 2000;
  for (int round = 0; round < kRounds; ++round) {
    caller_->Offer(kSlot, round + 1);
    caller_->OpenLink(kLink);
    std::atomic<bool> ready{false};
    Claim claim = Claim::kGone;
    std::thread server([&] {
      ready.store(true);
      claim = server_->TryClaim(kSlot, round + 1, kLink);
    });
    while (!ready.load()) {
    }
    caller_->CloseLink(kLink);
    const bool revoked = caller_->Revoke(kSlot, round + 1, kLink);
    server.join();
    EXPECT_EQ(revoked, claim != Claim::kLinkClosed);
    EXPECT_EQ(caller_->Withdraw(kSlot, round + 1), !revoked);
  }
}

TEST(OfferBoardOpenTest, RefusesWhatIsNoBoard) {
  EXPECT_FALSE(OfferBoard::Open(UniqueFd(open("/dev/null", O_RDWR))).ok());
  absl::StatusOr<UniqueFd> small =
      CreateSealedMemfd("test", static_cast<size_t>(sysconf(_SC_PAGESIZE)));
  ASSERT_TRUE(small.ok());
  EXPECT_FALSE(OfferBoard::Open(*std::move(small)).ok());
}

// Processes of one protocol version share it.
TEST(OfferBoardLayoutTest, HasNotChangedWithoutANewProtocolVersion) {
  EXPECT_EQ(sizeof(OfferBoardLayout), 73728u);
  EXPECT_EQ(offsetof(OfferBoardLayout, slots), 0u);
  EXPECT_EQ(offsetof(OfferBoardLayout, open), 65536u);
  EXPECT_EQ(kOfferWaiting, 0xffff);
}

}  // namespace
}  // namespace grpc_shm
