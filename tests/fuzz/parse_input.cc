// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include <string>

#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "tests/fuzz/fuzz_target.h"

namespace grpc_shm {
namespace fuzz {
namespace {

// Of what is no text of such a message nobody need hear.
class Silence : public google::protobuf::io::ErrorCollector {
  void AddError(int, int, const std::string&) override {}
};

}  // namespace

bool ParseInput(const uint8_t* data, size_t size,
                google::protobuf::Message* input) {
  Silence silence;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&silence);
  return parser.ParseFromString(
      std::string(reinterpret_cast<const char*>(data), size), input);
}

}  // namespace fuzz
}  // namespace grpc_shm
