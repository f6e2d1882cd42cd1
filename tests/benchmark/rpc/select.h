// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_SELECT_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_SELECT_H_

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

namespace grpc_shm::bench {

// Those of `all` that are named; all when `names` is empty.
template <class T>
absl::StatusOr<std::vector<const T*>> Select(
    const std::vector<T>& all, const std::vector<std::string>& names,
    absl::string_view kind) {
  for (const std::string& name : names) {
    if (std::any_of(all.begin(), all.end(),
                    [&](const T& one) { return one.name == name; }))
      continue;
    std::vector<std::string> known;
    for (const T& one : all) {
      if (known.empty() || known.back() != one.name)
        known.emplace_back(one.name);
    }
    return absl::InvalidArgumentError(absl::StrCat("there is no ", kind, " \"",
                                                   name, "\"; there are ",
                                                   absl::StrJoin(known, ", ")));
  }
  std::vector<const T*> selected;
  for (const T& one : all) {
    if (names.empty() ||
        std::find(names.begin(), names.end(), one.name) != names.end())
      selected.push_back(&one);
  }
  return selected;
}

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_SELECT_H_
