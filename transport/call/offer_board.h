// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_CALL_OFFER_BOARD_H_
#define GRPC_SHM_TRANSPORT_CALL_OFFER_BOARD_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "transport/base/unique_fd.h"
#include "transport/call/offer_board_layout.h"
#include "transport/memory/mapping.h"

namespace grpc_shm {

// Where servers claim the calls that a caller has offered through a mailbox: a
// call runs on the server that has claimed it, and on no other, however often
// the mailbox delivers the offer. See the layout for how that is decided.
//
// Each call has a number, never used twice, and while it waits a slot. Threads
// and processes: any. The processes trust one another, as all that share a
// mailbox; one that writes nonsense here can have calls lost, never a crash.
class OfferBoard {
 public:
  // Of the caller: RESOURCE_EXHAUSTED without memory or descriptors.
  static absl::StatusOr<std::unique_ptr<OfferBoard>> Create();
  // Of a server that was given the descriptor. INVALID_ARGUMENT,
  // FAILED_PRECONDITION: it is no such board.
  static absl::StatusOr<std::unique_ptr<OfferBoard>> Open(UniqueFd fd);

  OfferBoard(const OfferBoard&) = delete;
  OfferBoard& operator=(const OfferBoard&) = delete;

  int fd() const { return fd_.get(); }

  // ---- Caller ----

  // The call waits from now on. The slot is not in use.
  void Offer(uint32_t slot, uint64_t number);
  // The caller gives the call up; false: a server has claimed it.
  bool Withdraw(uint32_t slot, uint64_t number);
  // The link whose server has claimed the call; 0: none.
  uint16_t Claimant(uint32_t slot, uint64_t number) const;
  // The link's server may claim calls; or no more. After CloseLink each call
  // must be looked at with Revoke: true if that server had it, so that it runs
  // there or nowhere; false if it still waits or is somebody else's, and never
  // runs there.
  void OpenLink(uint16_t link);
  void CloseLink(uint16_t link);
  bool Revoke(uint32_t slot, uint64_t number, uint16_t link);

  // ---- Server ----

  enum class Claim {
    kClaimed,     // the call is this server's
    kGone,        // it is not to be run
    kLinkClosed,  // it still waits, and this link can't have it any more
  };
  Claim TryClaim(uint32_t slot, uint64_t number, uint16_t link);

 private:
  OfferBoard(UniqueFd fd, Mapping mapping)
      : fd_(std::move(fd)), mapping_(std::move(mapping)) {}

  static absl::StatusOr<std::unique_ptr<OfferBoard>> Map(UniqueFd fd);
  OfferBoardLayout* layout() const {
    return reinterpret_cast<OfferBoardLayout*>(mapping_.data());
  }

  const UniqueFd fd_;
  const Mapping mapping_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_CALL_OFFER_BOARD_H_
