// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_BENCHMARK_RPC_TEMPORARY_DIRECTORY_H_
#define GRPC_SHM_TESTS_BENCHMARK_RPC_TEMPORARY_DIRECTORY_H_

#include <string>

namespace grpc_shm::bench {

// A private, empty directory with a path short enough for sockets, removed with
// all that is in it by the destructor.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  // Empty when it could not be made.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace grpc_shm::bench

#endif  // GRPC_SHM_TESTS_BENCHMARK_RPC_TEMPORARY_DIRECTORY_H_
