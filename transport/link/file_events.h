// Copyright 2026 The grpc-shm Authors.
// SPDX-License-Identifier: Apache-2.0

#ifndef GRPC_SHM_TRANSPORT_LINK_FILE_EVENTS_H_
#define GRPC_SHM_TRANSPORT_LINK_FILE_EVENTS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "transport/base/unique_fd.h"
#include "transport/link/reactor.h"

namespace grpc_shm {

// What happens to files that somebody in this process watches, by inotify. All
// share one inotify descriptor, of which the kernel allows a user few (128 by
// default); it is closed when nobody watches.
//
// Threads: any. Never destroyed.
class FileEvents {
 public:
  static FileEvents& Get();

  FileEvents(const FileEvents&) = delete;
  FileEvents& operator=(const FileEvents&) = delete;

  // Calls `noticed`, on a reactor thread and without locks, at least once after
  // each event of `mask` (inotify(7)) at `path`; in a directory, after those of
  // the file `name` if that is not empty. One file is to be watched for one
  // mask. `what` names it in errors: RESOURCE_EXHAUSTED without descriptors or
  // kernel watches, and what the kernel says of the path.
  absl::StatusOr<uint64_t> Add(const std::string& path, uint32_t mask,
                               const std::string& name, const std::string& what,
                               std::function<void()> noticed);

  // `noticed` may still be running. Nothing if there is none of that number.
  void Remove(uint64_t id);

 private:
  struct Entry {
    int kernel_watch;
    uint32_t mask;
    std::string name;
    std::function<void()> noticed;
  };

  FileEvents() = default;

  void CloseIfUnused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Read();

  absl::Mutex mu_;
  UniqueFd inotify_ ABSL_GUARDED_BY(mu_);
  Reactor::SourceId source_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<uint64_t, Entry> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_shm

#endif  // GRPC_SHM_TRANSPORT_LINK_FILE_EVENTS_H_
