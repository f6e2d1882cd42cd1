// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/mailbox/summary.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/benchmark/rpc/figures.h"

namespace grpc_shm::bench::mailbox {
namespace {

Row ToRow(const Outcome& outcome) {
  const Scenario& scenario = *outcome.scenario;
  Row row;
  row.scenario = std::string(scenario.name);
  row.transport = std::string(outcome.kind->name);
  row.api = std::string(outcome.kind->api);
  if (!scenario.at_rest) {
    row.bytes = static_cast<int64_t>(scenario.bytes);
    row.threads = scenario.pairs;
  }
  for (const Figure& figure : Figures())
    row.*figure.median = MedianOf(figure, outcome.rounds);
  row.rounds = outcome.rounds;
  row.noisy_rounds = outcome.noisy_rounds;
  return row;
}

// How many times as good `value` is as `rival`: by latency where there is one,
// else by rate. 0 where they can't be compared.
double Ratio(const Row& row, const Row& rival) {
  if (row.p50_us.has_value() && rival.p50_us.has_value())
    return *rival.p50_us / *row.p50_us;
  if (row.per_s.has_value() && rival.per_s.has_value())
    return *row.per_s / *rival.per_s;
  return 0;
}

bool SameScenario(const Row& a, const Row& b) {
  return a.scenario == b.scenario && a.bytes == b.bytes &&
         a.threads == b.threads;
}

std::string Describe(const Row& row) {
  return absl::StrFormat("%s of %d B, %d+%d processes", row.scenario,
                         row.bytes.value_or(0), row.threads.value_or(0),
                         row.threads.value_or(0));
}

// Compares `row` with the best of the `rivals` in the same scenario.
void NoteComparison(const Row& row, const std::vector<Row>& rivals,
                    std::vector<std::string>* notes) {
  const Row* best = nullptr;
  for (const Row& rival : rivals) {
    if (!SameScenario(row, rival) || Ratio(row, rival) == 0) continue;
    if (best == nullptr || Ratio(row, rival) < Ratio(row, *best)) best = &rival;
  }
  if (best == nullptr) return;
  notes->push_back(absl::StrFormat(
      "%s: %s is %.2f times as fast as %s, the best of the others",
      Describe(row), row.transport, Ratio(row, *best), best->transport));
}

// What a message costs when nobody looks at its bytes.
void NoteTimePerMessage(const Outcome& outcome, const Row& row,
                        std::vector<std::string>* notes) {
  if (!outcome.scenario->touches_ends_only || row.per_s.value_or(0) == 0)
    return;
  notes->push_back(absl::StrFormat("%s: %.3f us a message", Describe(row),
                                   1e6 / *row.per_s));
}

}  // namespace

void Summarise(const Outcomes& outcomes, Report* report) {
  std::vector<Row> rivals;
  for (const Outcome& outcome : outcomes.outcomes) {
    if (!outcome.kind->ours && !outcome.rounds.empty())
      rivals.push_back(ToRow(outcome));
  }
  for (const Outcome& outcome : outcomes.outcomes) {
    if (outcome.rounds.empty()) continue;
    report->rounds =
        std::max(report->rounds, static_cast<int>(outcome.rounds.size()));
    report->rows.push_back(ToRow(outcome));
    const Row& row = report->rows.back();
    if (outcome.kind->ours) NoteComparison(row, rivals, &report->notes);
    NoteTimePerMessage(outcome, row, &report->notes);
    if (outcome.noisy_rounds == 0) continue;
    report->notes.push_back(absl::StrFormat(
        "%s with %s is marked *: in %d of %d rounds the host stole too much "
        "time",
        Describe(row), row.transport, outcome.noisy_rounds,
        outcome.rounds.size()));
  }
  for (const std::string& line : outcomes.not_allowed)
    report->notes.push_back(absl::StrCat("not measured: ", line));
  for (const std::string& line : outcomes.failures)
    report->notes.push_back(absl::StrCat("FAILED ", line));
}

}  // namespace grpc_shm::bench::mailbox
