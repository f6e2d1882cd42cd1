// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_UNIT_LINK_TEMPORARY_RENDEZVOUS_H_
#define GRPC_SHM_TESTS_UNIT_LINK_TEMPORARY_RENDEZVOUS_H_

#include <stdlib.h>

#include <filesystem>
#include <set>
#include <string>

namespace grpc_shm::testing {

// An empty rendezvous directory of our own while this exists, for this process
// and its children. Under /tmp, since a test's own temporary directory has too
// long a path for a socket.
class TemporaryRendezvous {
 public:
  TemporaryRendezvous() {
    char path[] = "/tmp/grpc-shm-test-XXXXXX";
    if (mkdtemp(path) == nullptr) abort();
    directory_ = path;
    setenv("GRPC_SHM_DIR", path, /*overwrite=*/1);
  }
  TemporaryRendezvous(const TemporaryRendezvous&) = delete;
  TemporaryRendezvous& operator=(const TemporaryRendezvous&) = delete;
  ~TemporaryRendezvous() {
    unsetenv("GRPC_SHM_DIR");
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  const std::string& directory() const { return directory_; }
  std::string Path(const std::string& file) const {
    return directory_ + "/" + file;
  }

  // The names of all that is in it.
  std::set<std::string> Files() const {
    std::set<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      files.insert(entry.path().filename());
    }
    return files;
  }

 private:
  std::string directory_;
};

}  // namespace grpc_shm::testing

#endif  // GRPC_SHM_TESTS_UNIT_LINK_TEMPORARY_RENDEZVOUS_H_
