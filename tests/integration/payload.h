// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_INTEGRATION_PAYLOAD_H_
#define GRPC_SHM_TESTS_INTEGRATION_PAYLOAD_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace grpc_shm {
namespace testing {

// Bytes that verify themselves: every eight of them depend on `seed` and on
// their place, so a fragment that is lost, doubled, swapped with another one or
// taken from another message shows.
std::string MakePayload(size_t bytes, uint32_t seed);

bool IsPayload(absl::string_view payload, size_t bytes, uint32_t seed);

}  // namespace testing
}  // namespace grpc_shm

#endif  // GRPC_SHM_TESTS_INTEGRATION_PAYLOAD_H_
