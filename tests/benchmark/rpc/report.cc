// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/report.h"

#include <algorithm>
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

std::string Cell(std::optional<double> value, absl::string_view unit = "") {
  if (!value.has_value()) return "-";
  const int decimals = *value < 10 ? 2 : (*value < 100 ? 1 : 0);
  return absl::StrFormat("%.*f%s", decimals, *value, unit);
}

std::optional<double> Ratio(std::optional<double> value,
                            std::optional<double> to) {
  if (!value.has_value() || !to.has_value() || *to == 0) return std::nullopt;
  return *value / *to;
}

// How many times as fast as `reference`: by latency where there is one, else by
// rate.
std::optional<double> Speed(const Row& row, const Row& reference) {
  if (row.p50_us.has_value()) return Ratio(reference.p50_us, row.p50_us);
  if (row.per_s.has_value()) return Ratio(row.per_s, reference.per_s);
  return std::nullopt;
}

const Row* ReferenceOf(const Row& row, const std::vector<Row>& rows) {
  for (const Row& other : rows) {
    if (other.transport == kReferenceTransport &&
        other.scenario == row.scenario && other.bytes == row.bytes &&
        other.threads == row.threads) {
      return &other;
    }
  }
  return nullptr;
}

constexpr char kLine[] =
    "%-16s %9s %3s  %-12s %-6s %9s %9s %9s %9s %9s %9s  %8s %8s %8s\n";

std::string TableHead() {
  const std::string against(kReferenceTransport);
  return absl::StrCat(
      absl::StrFormat(kLine, "", "", "", "", "", "p50", "p99", "", "",
                      "CPU/call", "idle CPU", "speed/", "rate/", "CPU/"),
      absl::StrFormat(kLine, "scenario", "bytes", "thr", "transport", "api",
                      "us", "us", "1/s", "MB/s", "us", "ms", against, against,
                      against));
}

std::string TableLine(const Row& row, const Row* reference) {
  std::optional<double> speed;
  std::optional<double> rate;
  std::optional<double> cpu;
  if (reference != nullptr) {
    speed = Speed(row, *reference);
    rate = Ratio(row.per_s, reference->per_s);
    cpu = row.idle_cpu_ms.has_value()
              ? Ratio(row.idle_cpu_ms, reference->idle_cpu_ms)
              : Ratio(row.cpu_us_per_call, reference->cpu_us_per_call);
  }
  return absl::StrFormat(
      kLine, row.scenario,
      row.bytes.has_value() ? absl::StrCat(*row.bytes) : "-",
      row.threads.has_value() ? absl::StrCat(*row.threads) : "-",
      absl::StrCat(row.transport, row.noisy_rounds > 0 ? "*" : ""), row.api,
      Cell(row.p50_us), Cell(row.p99_us), Cell(row.per_s), Cell(row.mb_per_s),
      Cell(row.cpu_us_per_call), Cell(row.idle_cpu_ms), Cell(speed, "x"),
      Cell(rate, "x"), Cell(cpu, "x"));
}

}  // namespace

void Summarise(const std::vector<Outcome>& outcomes, Report* report) {
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

std::string ToTable(const Report& report) {
  const Environment& environment = report.environment;
  std::string text = absl::StrFormat(
      "%s, %d cores, %s, gRPC %s, %s, %s\n"
      "load before %s; during the run the host stole %.2f %%, other processes "
      "took %.1f %% of all cores' time; "
      "medians of %d rounds%s\n\n",
      environment.cpu, environment.cores, environment.kernel, environment.grpc,
      environment.compiler, environment.date, environment.load,
      report.stolen_percent, report.other_busy_percent, report.rounds,
      report.quick ? " (quick: figures to look at, not to show)" : "");
  absl::StrAppend(&text, TableHead());
  const Row* before = nullptr;
  for (const Row& row : report.rows) {
    if (before != nullptr &&
        (before->scenario != row.scenario || before->bytes != row.bytes))
      text += '\n';
    absl::StrAppend(&text, TableLine(row, ReferenceOf(row, report.rows)));
    before = &row;
  }
  absl::StrAppendFormat(&text,
                        "\nspeed/%s and rate/%s: how many times as fast; "
                        "CPU/%s: which part of its CPU time\n",
                        kReferenceTransport, kReferenceTransport,
                        kReferenceTransport);
  for (const std::string& note : report.notes)
    absl::StrAppend(&text, note, "\n");
  return text;
}

}  // namespace grpc_shm::bench
