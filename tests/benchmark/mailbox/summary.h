// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_MAILBOX_SUMMARY_H_
#define GRPC_SHM_TESTS_BENCHMARK_MAILBOX_SUMMARY_H_

#include "tests/benchmark/mailbox/schedule.h"
#include "tests/benchmark/rpc/report.h"

namespace grpc_shm::bench::mailbox {

// Makes the rows of a report, and notes about them: how our queues compare with
// the better of the others, and what was not measured.
void Summarise(const Outcomes& outcomes, Report* report);

}  // namespace grpc_shm::bench::mailbox

#endif  // GRPC_SHM_TESTS_BENCHMARK_MAILBOX_SUMMARY_H_
