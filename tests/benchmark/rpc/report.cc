// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/report.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/benchmark/rpc/json_writer.h"
#include "tests/benchmark/rpc/statistics.h"
#include "tests/benchmark/rpc/transports.h"

namespace grpc_shm::bench {
namespace {

// The median over those rounds in which the field was set.
std::optional<double> MedianOf(const Outcome& outcome,
                               bool (Measurement::*has)() const,
                               double (Measurement::*get)() const) {
  std::vector<double> values;
  for (const Measurement& round : outcome.rounds) {
    if ((round.*has)()) values.push_back((round.*get)());
  }
  if (values.empty()) return std::nullopt;
  return Median(std::move(values));
}

Row ToRow(const Outcome& outcome) {
  const bool floor = outcome.transport->kind == Transport::Kind::kFloor;
  Row row;
  row.scenario = std::string(outcome.scenario->name);
  row.transport = std::string(outcome.transport->name);
  row.api = floor ? "async" : std::string(outcome.scenario->api);
  row.bytes = outcome.scenario->bytes;
  row.threads = outcome.scenario->threads;
  row.p50_us =
      MedianOf(outcome, &Measurement::has_p50_us, &Measurement::p50_us);
  row.p99_us =
      MedianOf(outcome, &Measurement::has_p99_us, &Measurement::p99_us);
  row.per_s = MedianOf(outcome, &Measurement::has_per_s, &Measurement::per_s);
  row.mb_per_s =
      MedianOf(outcome, &Measurement::has_mb_per_s, &Measurement::mb_per_s);
  row.cpu_us_per_call = MedianOf(outcome, &Measurement::has_cpu_us_per_call,
                                 &Measurement::cpu_us_per_call);
  row.idle_cpu_ms = MedianOf(outcome, &Measurement::has_idle_cpu_ms,
                             &Measurement::idle_cpu_ms);
  row.noisy = outcome.noisy_rounds > 0;
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

void NoteIdle(const Outcome& outcome, std::vector<std::string>* notes) {
  const auto client = MedianOf(outcome, &Measurement::has_idle_client_cpu_ms,
                               &Measurement::idle_client_cpu_ms);
  const auto server = MedianOf(outcome, &Measurement::has_idle_server_cpu_ms,
                               &Measurement::idle_server_cpu_ms);
  if (!client.has_value() || !server.has_value()) return;
  std::string note = absl::StrFormat(
      "idle over %s: client %.2f ms, server %.2f ms of CPU time",
      outcome.transport->name, *client, *server);
  const auto switches = MedianOf(outcome, &Measurement::has_idle_own_switches,
                                 &Measurement::idle_own_switches);
  if (switches.has_value()) {
    absl::StrAppendFormat(
        &note, "; context switches of threads named grpc-shm-*: %.0f",
        *switches);
  }
  notes->push_back(std::move(note));
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
        other.scenario == row.scenario && other.bytes == row.bytes) {
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
      absl::StrCat(row.transport, row.noisy ? "*" : ""), row.api,
      Cell(row.p50_us), Cell(row.p99_us), Cell(row.per_s), Cell(row.mb_per_s),
      Cell(row.cpu_us_per_call), Cell(row.idle_cpu_ms), Cell(speed, "x"),
      Cell(rate, "x"), Cell(cpu, "x"));
}

void WriteEnvironment(const Report& report, JsonWriter* json) {
  const Environment& environment = report.environment;
  const auto put = [json](absl::string_view key, absl::string_view value) {
    json->NewLine();
    json->Key(key);
    json->String(value);
  };
  json->BeginObject();
  put("cpu", environment.cpu);
  json->Key("cores");
  json->Integer(environment.cores);
  put("kernel", environment.kernel);
  put("grpc", environment.grpc);
  put("compiler", environment.compiler);
  put("date", environment.date);
  put("load", environment.load);
  json->NewLine();
  json->Key("quick");
  json->Bool(report.quick);
  json->Key("rounds");
  json->Integer(report.rounds);
  json->Key("stolen_percent");
  json->Number(report.stolen_percent);
  json->Key("other_busy_percent");
  json->Number(report.other_busy_percent);
  json->NewLine();
  json->Key("notes");
  json->BeginArray();
  for (const std::string& note : report.notes) {
    json->NewLine();
    json->String(note);
  }
  json->EndArray();
  json->EndObject();
}

void WriteRow(const Row& row, JsonWriter* json) {
  const auto integer = [json](absl::string_view key,
                              std::optional<int64_t> value) {
    json->Key(key);
    value.has_value() ? json->Integer(*value) : json->Null();
  };
  const auto number = [json](absl::string_view key,
                             std::optional<double> value) {
    json->Key(key);
    json->Number(value);
  };
  json->BeginObject();
  json->Key("scenario");
  json->String(row.scenario);
  json->Key("transport");
  json->String(row.transport);
  json->Key("api");
  json->String(row.api);
  integer("bytes", row.bytes);
  integer("threads", row.threads);
  number("p50_us", row.p50_us);
  number("p99_us", row.p99_us);
  number("per_s", row.per_s);
  number("mb_per_s", row.mb_per_s);
  number("cpu_us_per_call", row.cpu_us_per_call);
  number("idle_cpu_ms", row.idle_cpu_ms);
  json->EndObject();
}

}  // namespace

void Summarise(const std::vector<Outcome>& outcomes, Report* report) {
  for (const Outcome& outcome : outcomes) {
    if (outcome.rounds.empty()) continue;
    const auto rounds = static_cast<int>(outcome.rounds.size());
    report->rounds = std::max(report->rounds, rounds);
    report->rows.push_back(ToRow(outcome));
    NoteIdle(outcome, &report->notes);
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

std::string ToJson(const Report& report) {
  JsonWriter json;
  json.BeginObject();
  json.Key("environment");
  WriteEnvironment(report, &json);
  json.NewLine();
  json.Key("rows");
  json.BeginArray();
  for (const Row& row : report.rows) {
    json.NewLine();
    WriteRow(row, &json);
  }
  json.EndArray();
  json.EndObject();
  return json.text() + "\n";
}

}  // namespace grpc_shm::bench
