// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_JSON_WRITER_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_JSON_WRITER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace grpc_shm::bench {

// Writes JSON (RFC 8259) with its members in the order in which they are given.
// The caller calls in a sensible order: a key before each value inside an
// object, an end for each begin.
class JsonWriter {
 public:
  // Values. Numbers have six significant digits; those that JSON can't say
  // (infinite, not a number) and std::nullopt are null.
  void String(absl::string_view value);
  void Integer(int64_t value);
  void Bool(bool value);
  void Number(std::optional<double> value);
  void Null();

  void Key(absl::string_view key);
  void BeginObject();
  void EndObject();
  void BeginArray();
  void EndArray();
  // The next element or member begins on a new line.
  void NewLine();

  // Everything so far.
  const std::string& text() const { return text_; }

 private:
  // Writes the comma that the next value or key needs, then `text`.
  void Put(absl::string_view text);

  std::string text_;
  bool comma_ = false;
  bool new_line_ = false;
};

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_JSON_WRITER_H_
