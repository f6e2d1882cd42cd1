// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "tests/benchmark/rpc/figures.h"
#include "tests/benchmark/rpc/json_writer.h"
#include "tests/benchmark/rpc/measurement.pb.h"
#include "tests/benchmark/rpc/report.h"

namespace grpc_shm::bench {
namespace {

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

void WriteRound(const Measurement& round, JsonWriter* json) {
  json->NewLine();
  json->BeginObject();
  json->Key("samples");
  json->Integer(static_cast<int64_t>(round.samples()));
  for (const Figure& figure : Figures()) {
    if (!(round.*figure.has)()) continue;
    json->Key(figure.name);
    json->Number((round.*figure.get)());
  }
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
  for (const Figure& figure : Figures())
    number(figure.name, row.*figure.median);
  json->Key("noisy_rounds");
  json->Integer(row.noisy_rounds);
  json->NewLine();
  json->Key("rounds");
  json->BeginArray();
  for (const Measurement& round : row.rounds) WriteRound(round, json);
  json->EndArray();
  json->EndObject();
}

}  // namespace

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
