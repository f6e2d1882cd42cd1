// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace grpc_shm::bench {

double Percentile(double fraction, std::vector<double>* values) {
  const auto rank = static_cast<size_t>(
      std::ceil(fraction * static_cast<double>(values->size())));
  const auto at = values->begin() +
                  static_cast<std::ptrdiff_t>(std::max<size_t>(rank, 1) - 1);
  std::nth_element(values->begin(), at, values->end());
  return *at;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle]
                                : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace grpc_shm::bench
