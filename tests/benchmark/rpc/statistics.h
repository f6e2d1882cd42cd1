// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_STATISTICS_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_STATISTICS_H_

#include <vector>

namespace grpc_shm::bench {

// The smallest of `values` that at least `fraction` (in (0, 1]) of them do not
// exceed: the nearest-rank percentile, always one of the values. `values` must
// not be empty and is reordered.
double Percentile(double fraction, std::vector<double>* values);

// The middle of `values`, or the mean of the two in the middle. `values` must
// not be empty.
double Median(std::vector<double> values);

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_STATISTICS_H_
