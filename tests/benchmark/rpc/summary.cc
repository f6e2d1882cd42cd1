// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/summary.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/benchmark/rpc/figures.h"
#include "tests/benchmark/rpc/transports.h"

namespace grpc_shm::bench {
namespace {

Row ToRow(const Outcome& outcome) {
  const bool async = outcome.transport->kind == Transport::Kind::kFloor ||
                     outcome.transport->client == Transport::Client::kGeneric;
  Row row;
  row.scenario = std::string(outcome.scenario->name);
  row.transport = std::string(outcome.transport->name);
  row.api = async ? "async" : std::string(outcome.scenario->api);
  row.bytes = outcome.scenario->bytes;
  row.threads = outcome.scenario->threads;
  for (const Figure& figure : Figures())
    row.*figure.median = MedianOf(figure, outcome.rounds);
  row.rounds = outcome.rounds;
  row.noisy_rounds = outcome.noisy_rounds;
  return row;
}

void NoteNoise(const Outcome& outcome, std::vector<std::string>* notes) {
  if (outcome.noisy_rounds == 0) return;
  const std::string bytes =
      outcome.scenario->bytes.has_value()
          ? absl::StrCat(" ", *outcome.scenario->bytes, " B")
          : "";
  notes->push_back(
      absl::StrFormat("%s%s over %s is marked *: in %d of %d rounds the host "
                      "stole too much time",
                      outcome.scenario->name, bytes, outcome.transport->name,
                      outcome.noisy_rounds, outcome.rounds.size()));
}

void NoteIdle(const Row& row, std::vector<std::string>* notes) {
  if (!row.idle_client_cpu_ms.has_value() ||
      !row.idle_server_cpu_ms.has_value())
    return;
  std::string note = absl::StrFormat(
      "idle over %s: client %.2f ms, server %.2f ms of CPU time", row.transport,
      *row.idle_client_cpu_ms, *row.idle_server_cpu_ms);
  if (row.idle_own_switches.has_value()) {
    absl::StrAppendFormat(
        &note, "; context switches of threads named grpc-shm-*: %.0f",
        *row.idle_own_switches);
  }
  notes->push_back(std::move(note));
}

void NoteCompany(const Row& row, std::vector<std::string>* notes) {
  if (row.ratio_to_alone.has_value()) {
    notes->push_back(absl::StrFormat(
        "%s over %s: p50 is %.3f times that without the idle links, %.1f us",
        row.scenario, row.transport, *row.ratio_to_alone,
        row.alone_p50_us.value_or(0)));
  }
  if (row.beside_cpu_percent.has_value()) {
    notes->push_back(absl::StrFormat(
        "%s, %d threads, over %s: each busy process beside got %.1f %% of a "
        "core",
        row.scenario, row.threads.value_or(0), row.transport,
        *row.beside_cpu_percent));
  }
}

}  // namespace

void Summarise(const std::vector<Outcome>& outcomes, Report* report) {
  report->reference = std::string(kReferenceTransport);
  for (const Outcome& outcome : outcomes) {
    if (outcome.rounds.empty()) continue;
    const auto rounds = static_cast<int>(outcome.rounds.size());
    report->rounds = std::max(report->rounds, rounds);
    report->rows.push_back(ToRow(outcome));
    NoteIdle(report->rows.back(), &report->notes);
    NoteCompany(report->rows.back(), &report->notes);
    NoteNoise(outcome, &report->notes);
  }
}

}  // namespace grpc_shm::bench
