// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "transport/stats.h"

#include "transport/call/session.h"

namespace grpc_shm {

uint64_t LostWakeups() { return Session::lost_wakeups(); }

}  // namespace grpc_shm
