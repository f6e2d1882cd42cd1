// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_SUMMARY_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_SUMMARY_H_

#include <vector>

#include "tests/benchmark/rpc/report.h"
#include "tests/benchmark/rpc/schedule.h"

namespace grpc_shm::bench {

// Makes a report's rows, compared with the reference transport, and notes about
// them. An outcome without a measurement makes no row.
void Summarise(const std::vector<Outcome>& outcomes, Report* report);

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_SUMMARY_H_
