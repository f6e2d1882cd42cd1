// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_MODEL_MODEL_CHECK_H_
#define GRPC_SHM_TESTS_MODEL_MODEL_CHECK_H_

// How the model tests search, and report what they have found.
//
// Include this after everything but relacy_atomics.h, see there.

#include <cstdio>
#include <iostream>

// Last.
#include <relacy/relacy.hpp>

namespace grpc_shm {

// Every interleaving with at most `preemptions` switches away from a thread
// that could have gone on; loads return the newest value or the one before.
inline rl::test_params Exhaustive(unsigned preemptions) {
  rl::test_params params;
  params.search_type = rl::sched_bound;
  params.context_bound = preemptions;
  params.iteration_count = ~rl::iteration_t{0} >> 1;
  return params;
}

// Random interleavings, the same in each run, any number of switches; loads
// return any value that the memory model allows.
inline rl::test_params Random(rl::iteration_t interleavings) {
  rl::test_params params;
  params.search_type = rl::sched_random;
  params.iteration_count = interleavings;
  return params;
}

// Whether the search ended as the test expects, which it reports. An
// unexpected end is printed with the interleaving that led there.
template <class Test>
bool Check(const char* claim, rl::test_params params) {
  constexpr bool expect_success =
      Test::params::expected_result == rl::test_result_success;
  std::ostream nowhere(nullptr);
  params.output_stream = expect_success ? &std::cout : &nowhere;
  params.progress_stream = &nowhere;
  const bool as_expected = rl::simulate<Test>(params);
  std::printf("%s %s: %llu interleavings, %s\n",
              as_expected ? "[  OK  ]" : "[FAILED]", claim,
              static_cast<unsigned long long>(params.stop_iteration),
              rl::test_result_str(params.test_result));
  std::fflush(stdout);
  return as_expected;
}

}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_MODEL_MODEL_CHECK_H_
