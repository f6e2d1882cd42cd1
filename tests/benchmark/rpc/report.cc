// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/report.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace grpc_shm::bench {
namespace {

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

const Row* ReferenceOf(const Row& row, const Report& report) {
  for (const Row& other : report.rows) {
    if (other.transport == report.reference && other.scenario == row.scenario &&
        other.bytes == row.bytes && other.threads == row.threads) {
      return &other;
    }
  }
  return nullptr;
}

constexpr char kLine[] =
    "%-16s %9s %3s  %-12s %-6s %9s %9s %9s %9s %9s %9s  %8s %8s %8s\n";

std::string TableHead(const std::string& against) {
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
  absl::StrAppend(&text, TableHead(report.reference));
  const Row* before = nullptr;
  for (const Row& row : report.rows) {
    if (before != nullptr &&
        (before->scenario != row.scenario || before->bytes != row.bytes))
      text += '\n';
    absl::StrAppend(&text, TableLine(row, ReferenceOf(row, report)));
    before = &row;
  }
  absl::StrAppendFormat(&text,
                        "\nspeed/%s and rate/%s: how many times as fast; "
                        "CPU/%s: which part of its CPU time\n",
                        report.reference, report.reference, report.reference);
  for (const std::string& note : report.notes)
    absl::StrAppend(&text, note, "\n");
  return text;
}

}  // namespace grpc_shm::bench
