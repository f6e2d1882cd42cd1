// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/link/link.h"

#include <utility>

#include "transport/base/fault_point.h"
#include "transport/link/doorbell.h"

namespace grpc_shm {
namespace {

RingProducer MakeProducer(Link::Side side, const LinkSegment& segment) {
  return side == Link::Side::kClient
             ? RingProducer(segment.client_to_server(),
                            segment.client_to_server_data(),
                            segment.ring_bytes())
             : RingProducer(segment.server_to_client(),
                            segment.server_to_client_data(),
                            segment.ring_bytes());
}

RingConsumer MakeConsumer(Link::Side side, const LinkSegment& segment) {
  return side == Link::Side::kClient
             ? RingConsumer(segment.server_to_client(),
                            segment.server_to_client_data(),
                            segment.ring_bytes())
             : RingConsumer(segment.client_to_server(),
                            segment.client_to_server_data(),
                            segment.ring_bytes());
}

}  // namespace

Link::Link(Side side, Parts parts)
    : parts_(std::move(parts)),
      producer_(MakeProducer(side, parts_.segment)),
      consumer_(MakeConsumer(side, parts_.segment)) {}

void Link::RingDoorbell() { Wake(armed_flag::kAtDoorbell); }

void Link::Wake(armed_flag::Sleep sleep) {
  GRPC_SHM_FAULT_POINT(DoorbellTaken);
  if (sleep == armed_flag::kAtFlag) {
    producer_.WakeAtFlag();
  } else {
    grpc_shm::RingDoorbell(parts_.peer_doorbell.get());
  }
  GRPC_SHM_FAULT_POINT(DoorbellRung);
}

}  // namespace grpc_shm
