// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/call/offer_board.h"

#include <unistd.h>

#include "transport/memory/sealed_memfd.h"

namespace grpc_shm {
namespace {

constexpr uint64_t Word(uint64_t number, uint16_t state) {
  return number << 16 | state;
}

// Whole pages, whatever their size.
size_t BoardBytes() {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (sizeof(OfferBoardLayout) + page - 1) / page * page;
}

}  // namespace

absl::StatusOr<std::unique_ptr<OfferBoard>> OfferBoard::Map(UniqueFd fd) {
  absl::StatusOr<Mapping> mapping =
      Mapping::MapShared(fd.get(), 0, BoardBytes());
  if (!mapping.ok()) return mapping.status();
  return std::unique_ptr<OfferBoard>(
      new OfferBoard(std::move(fd), *std::move(mapping)));
}

absl::StatusOr<std::unique_ptr<OfferBoard>> OfferBoard::Create() {
  absl::StatusOr<UniqueFd> fd =
      CreateSealedMemfd("grpc-shm-offers", BoardBytes());
  if (!fd.ok()) return fd.status();
  return Map(*std::move(fd));
}

absl::StatusOr<std::unique_ptr<OfferBoard>> OfferBoard::Open(UniqueFd fd) {
  const absl::Status status = VerifySealedMemfd(fd.get(), BoardBytes());
  if (!status.ok()) return status;
  return Map(std::move(fd));
}

void OfferBoard::Offer(uint32_t slot, uint64_t number) {
  layout()->slots[slot].store(Word(number, kOfferWaiting),
                              std::memory_order_seq_cst);
}

bool OfferBoard::Withdraw(uint32_t slot, uint64_t number) {
  uint64_t waiting = Word(number, kOfferWaiting);
  return layout()->slots[slot].compare_exchange_strong(
      waiting, Word(number, kOfferNobodys), std::memory_order_seq_cst);
}

uint16_t OfferBoard::Claimant(uint32_t slot, uint64_t number) const {
  const uint64_t word = layout()->slots[slot].load(std::memory_order_seq_cst);
  const auto state = static_cast<uint16_t>(word);
  return word >> 16 == number && state != kOfferWaiting ? state : kOfferNobodys;
}

void OfferBoard::OpenLink(uint16_t link) {
  layout()->open[link / 64].fetch_or(uint64_t{1} << link % 64,
                                     std::memory_order_seq_cst);
}

void OfferBoard::CloseLink(uint16_t link) {
  layout()->open[link / 64].fetch_and(~(uint64_t{1} << link % 64),
                                      std::memory_order_seq_cst);
}

bool OfferBoard::Revoke(uint32_t slot, uint64_t number, uint16_t link) {
  uint64_t claimed = Word(number, link);
  return layout()->slots[slot].compare_exchange_strong(
      claimed, Word(number, kOfferNobodys), std::memory_order_seq_cst);
}

OfferBoard::Claim OfferBoard::TryClaim(uint32_t slot, uint64_t number,
                                       uint16_t link) {
  if (slot >= kOfferSlots || number >> kOfferNumberBits != 0)
    return Claim::kGone;
  std::atomic<uint64_t>& word = layout()->slots[slot];
  uint64_t expected = Word(number, kOfferWaiting);
  if (!word.compare_exchange_strong(expected, Word(number, link),
                                    std::memory_order_seq_cst))
    return Claim::kGone;
  const uint64_t open =
      layout()->open[link / 64].load(std::memory_order_seq_cst);
  if ((open >> link % 64 & 1) != 0) return Claim::kClaimed;
  expected = Word(number, link);
  // If this fails, the caller has revoked the claim, and failed the call.
  return word.compare_exchange_strong(expected, Word(number, kOfferWaiting),
                                      std::memory_order_seq_cst)
             ? Claim::kLinkClosed
             : Claim::kGone;
}

}  // namespace grpc_shm
