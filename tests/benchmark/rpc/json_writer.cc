// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/json_writer.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace grpc_shm::bench {
namespace {

std::string Quoted(absl::string_view value) {
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&quoted, "\\u%04x", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace

void JsonWriter::Put(absl::string_view text) {
  absl::StrAppend(&text_, comma_ ? "," : "",
                  new_line_ ? "\n" : (comma_ ? " " : ""), text);
  comma_ = true;
  new_line_ = false;
}

void JsonWriter::String(absl::string_view value) { Put(Quoted(value)); }
void JsonWriter::Integer(int64_t value) { Put(absl::StrCat(value)); }
void JsonWriter::Bool(bool value) { Put(value ? "true" : "false"); }
void JsonWriter::Null() { Put("null"); }

void JsonWriter::Number(std::optional<double> value) {
  if (!value.has_value() || !std::isfinite(*value)) return Null();
  Put(absl::StrFormat("%.6g", *value));
}

void JsonWriter::Key(absl::string_view key) {
  Put(absl::StrCat(Quoted(key), ": "));
  comma_ = false;
}

void JsonWriter::BeginObject() {
  Put("{");
  comma_ = false;
}

void JsonWriter::EndObject() {
  text_ += '}';
  comma_ = true;
}

void JsonWriter::BeginArray() {
  Put("[");
  comma_ = false;
}

void JsonWriter::EndArray() {
  text_ += ']';
  comma_ = true;
}

void JsonWriter::NewLine() { new_line_ = true; }

}  // namespace grpc_shm::bench
