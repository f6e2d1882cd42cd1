// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_DOORBELL_H_
#define GRPC_SHM_TRANSPORT_LINK_DOORBELL_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "transport/base/unique_fd.h"

namespace grpc_shm {

// A doorbell wakes a party that sleeps. It is an eventfd that both processes
// hold; its owner watches it in an epoll set with EPOLLIN | EPOLLET and never
// reads it, since with EPOLLET each write is an event of its own.
//
// The counter starts at 1, so the descriptor is always readable (and adding it
// to an epoll set yields one event), and a ring writes 0: that wakes like any
// other write, and never has to wait, since the counter cannot overflow. This
// matters because O_NONBLOCK belongs to the open file, which the peer shares: a
// hostile peer could clear it and fill the counter, and a write of 1 would then
// block our thread for as long as the peer likes.
//
// A doorbell carries no data and orders no memory; the armed flags in the ring
// do (see transport/ring). Any thread may ring.

// A new doorbell, closed on exec. RESOURCE_EXHAUSTED without descriptors.
absl::StatusOr<UniqueFd> CreateDoorbell();

// Checks that `fd`, received from another process, can be used as a doorbell:
// that it is an eventfd, and not something on which a write might wait or do
// harm (a pipe, a socket, a file). Rings it. INVALID_ARGUMENT otherwise.
absl::Status VerifyDoorbell(int fd);

// Wakes whoever watches `fd`. Never waits. There is nothing to report: a peer
// that spoils its own doorbell only misses its own wake-ups.
void RingDoorbell(int fd);

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_DOORBELL_H_
