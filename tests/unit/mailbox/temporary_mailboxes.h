// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TESTS_UNIT_MAILBOX_TEMPORARY_MAILBOXES_H_
#define GRPC_SHM_TESTS_UNIT_MAILBOX_TEMPORARY_MAILBOXES_H_

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>

namespace grpc_shm::testing {

// Mailboxes of our own while this exists, for this process and its children:
// a directory in /dev/shm, gone with all that is in it in the end.
class TemporaryMailboxes {
 public:
  TemporaryMailboxes() {
    char path[] = "/dev/shm/grpc-shm-test-XXXXXX";
    if (mkdtemp(path) == nullptr) abort();
    base_ = path;
    setenv("GRPC_SHM_MAILBOX_DIR", path, /*overwrite=*/1);
  }
  TemporaryMailboxes(const TemporaryMailboxes&) = delete;
  TemporaryMailboxes& operator=(const TemporaryMailboxes&) = delete;
  ~TemporaryMailboxes() {
    unsetenv("GRPC_SHM_MAILBOX_DIR");
    std::error_code ignored;
    std::filesystem::remove_all(base_, ignored);
  }

  const std::string& base() const { return base_; }

  // Where the effective user's mailboxes of mode 0600 are.
  std::string directory() const {
    return base_ + "/grpc-shm-" + std::to_string(geteuid());
  }
  std::string Path(const std::string& name) const {
    return directory() + "/" + name;
  }

  // The names of all that is left, mailboxes and their directories.
  std::set<std::string> Files() const {
    std::set<std::string> files;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(base_)) {
      files.insert(entry.path().filename());
    }
    return files;
  }

 private:
  std::string base_;
};

}  // namespace grpc_shm::testing

#endif  // GRPC_SHM_TESTS_UNIT_MAILBOX_TEMPORARY_MAILBOXES_H_
