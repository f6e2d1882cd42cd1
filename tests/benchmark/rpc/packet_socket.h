// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_PACKET_SOCKET_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_PACKET_SOCKET_H_

#include <google/protobuf/message_lite.h>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace grpc_shm::bench {

// Sends one message as one packet over a SOCK_SEQPACKET socket. UNAVAILABLE
// when the other side is gone.
absl::Status SendPacket(int socket,
                        const google::protobuf::MessageLite& message);

// Receives one message. OUT_OF_RANGE when the other side has closed;
// DEADLINE_EXCEEDED when nothing came in time; DATA_LOSS when the packet is not
// such a message.
absl::Status ReceivePacket(int socket, absl::Duration timeout,
                           google::protobuf::MessageLite* message);

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_PACKET_SOCKET_H_
