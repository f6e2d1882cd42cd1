// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_FUZZ_FUZZ_TARGET_H_
#define GRPC_SHM_TESTS_FUZZ_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "google/protobuf/message.h"

// What a fuzz target consists of: a message type, and a function that lets the
// code under test have one. Each target has two drivers: libFuzzer, which makes
// up inputs, and replay_main.cc, which runs those that are kept.

namespace grpc_shm {
namespace fuzz {

// From text format; false if it is not that of such a message.
bool ParseInput(const uint8_t* data, size_t size,
                google::protobuf::Message* input);

// An empty message of the target's type; defined by GRPC_SHM_FUZZ_TARGET.
std::unique_ptr<google::protobuf::Message> NewInput();

// As assert, in every build.
#define FUZZ_CHECK(condition)                                         \
  do {                                                                \
    if (!(condition)) {                                               \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, \
                   #condition);                                       \
      std::abort();                                                   \
    }                                                                 \
  } while (false)

#define GRPC_SHM_FUZZ_TARGET(Input, Run)                                    \
  std::unique_ptr<google::protobuf::Message> grpc_shm::fuzz::NewInput() {   \
    return std::make_unique<Input>();                                       \
  }                                                                         \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) { \
    Input input;                                                            \
    if (grpc_shm::fuzz::ParseInput(data, size, &input)) Run(input);         \
    return 0;                                                               \
  }

}  // namespace fuzz
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_FUZZ_FUZZ_TARGET_H_
