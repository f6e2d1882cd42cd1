// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/json_writer.h"

#include <gtest/gtest.h>

#include <limits>

namespace grpc_shm::bench {
namespace {

TEST(JsonWriter, KeepsTheOrderAndSeparatesMembers) {
  JsonWriter json;
  json.BeginObject();
  json.Key("b");
  json.Integer(-7);
  json.Key("a");
  json.BeginArray();
  json.String("x");
  json.Bool(true);
  json.Null();
  json.BeginObject();
  json.EndObject();
  json.EndArray();
  json.Key("c");
  json.Number(0.5);
  json.EndObject();
  EXPECT_EQ(json.text(), R"({"b": -7, "a": ["x", true, null, {}], "c": 0.5})");
}

TEST(JsonWriter, EscapesWhatMustBeEscaped) {
  JsonWriter json;
  json.String("quote \" backslash \\ newline \n end");
  EXPECT_EQ(json.text(), R"("quote \" backslash \\ newline \u000a end")");
}

TEST(JsonWriter, WhatIsNoNumberIsNull) {
  JsonWriter json;
  json.BeginArray();
  json.Number(std::nullopt);
  json.Number(std::numeric_limits<double>::infinity());
  json.Number(std::numeric_limits<double>::quiet_NaN());
  json.EndArray();
  EXPECT_EQ(json.text(), "[null, null, null]");
}

TEST(JsonWriter, NumbersHaveSixDigits) {
  JsonWriter json;
  json.BeginArray();
  json.Number(123456.7);
  json.Number(1.0 / 3);
  json.Number(64);
  json.Integer(16777216);
  json.EndArray();
  EXPECT_EQ(json.text(), "[123457, 0.333333, 64, 16777216]");
}

}  // namespace
}  // namespace grpc_shm::bench
