// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/rpc/temporary_directory.h"

#include <stdlib.h>

#include <filesystem>
#include <system_error>

namespace grpc_shm::bench {

TemporaryDirectory::TemporaryDirectory() {
  std::error_code ignored;
  const std::filesystem::path parent =
      std::filesystem::temp_directory_path(ignored);
  std::string path = (parent / "rpc_benchmark.XXXXXX").string();
  if (mkdtemp(path.data()) != nullptr) path_ = path;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace grpc_shm::bench
