// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_LINK_H_
#define GRPC_SHM_TRANSPORT_LINK_LINK_H_

#include <cstddef>
#include <cstdint>

#include "transport/base/unique_fd.h"
#include "transport/link/link_segment.h"
#include "transport/link/peer_credentials.h"
#include "transport/ring/ring_consumer.h"
#include "transport/ring/ring_producer.h"

namespace grpc_shm {

// One process's end of a link: the connection of exactly two processes, with a
// ring in each direction, a doorbell for each party, and a control socket that
// tells when the other one is gone.
//
// Owns everything of it: mappings, both doorbells, the socket; destruction
// gives all back, and hangs up. A killed process does the same: nothing of a
// link has a name anywhere.
//
// Made by the hand-shake (handshake.h). Calls on the producer are serialised by
// the caller, and so are those on the consumer; each may have its own lock.
// Everything else may be called from any thread. The destructor must be the
// last call.
//
// The peer is not trusted. What it does to the shared memory can make
// producer().broken() true or consumer().Peek() answer kBroken; the owner then
// destroys the link. It can do nothing else to this process.
class Link {
 public:
  enum class Side { kClient, kServer };

  // What the hand-shake puts together.
  struct Parts {
    UniqueFd control;
    UniqueFd own_doorbell;
    UniqueFd peer_doorbell;
    LinkSegment segment;
    PeerCredentials peer;
    uint32_t window_bytes;
  };

  Link(Side side, Parts parts);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // The ring towards the peer, and the one from it.
  RingProducer& producer() { return producer_; }
  RingConsumer& consumer() { return consumer_; }

  // The control socket, non-blocking. After the hand-shake nobody sends
  // anything: EPOLLRDHUP or EPOLLHUP tells that the peer is gone, and a packet
  // breaks the protocol.
  int control_fd() const { return parts_.control.get(); }

  // Our doorbell: watch it with EPOLLIN | EPOLLET and never read it; each ring
  // is an event. Adding it to an epoll set yields one event at once.
  int doorbell_fd() const { return parts_.own_doorbell.get(); }

  // Wakes the peer, where it sleeps or by its doorbell. Never waits, never
  // fails. Only when Publish() or TakeProducerWakeup() said so: each call is a
  // system call.
  void Wake(armed_flag::Sleep sleep);
  void RingDoorbell();

  // Who is at the other end, according to the kernel.
  const PeerCredentials& peer() const { return parts_.peer; }

  // Credit of each call and direction, in bytes, as agreed upon.
  uint32_t window_bytes() const { return parts_.window_bytes; }
  // Capacity of each ring, in bytes, as agreed upon.
  size_t ring_bytes() const { return parts_.segment.ring_bytes(); }

 private:
  const Parts parts_;
  RingProducer producer_;
  RingConsumer consumer_;
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_LINK_H_
