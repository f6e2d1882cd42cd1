// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_STATS_H_
#define GRPC_SHM_TRANSPORT_STATS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace grpc_shm {

// Which way the calls of one service go on a server.
struct ServiceStats {
  std::string name;  // "package.Service"
  // Its handlers run on the thread that has read the request.
  bool runs_inline = false;
  // Why not; empty if they do.
  std::string reason;
};

// What a listener has done since it began.
struct ListenerStats {
  std::string address;
  size_t links = 0;              // now
  uint64_t inline_calls = 0;     // run on the thread that read the request
  uint64_t universal_calls = 0;  // handed to gRPC's own server
  // The services that it knows of. Others are served all the same, by gRPC's
  // own server.
  std::vector<ServiceStats> services;
};

// How often a thread of this process slept though something had come for it on
// a link, and was found by a timer that looks once a second while calls are
// open. It stays 0 unless grpc-shm has an error (please report it), or the
// peer, or this process, was stopped for a second at just the wrong place.
uint64_t LostWakeups();

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_STATS_H_
